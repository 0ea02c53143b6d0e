/** The day on a map that needs no network: bases, sites, routes, and who is where when. */
import L from "leaflet";
import "leaflet/dist/leaflet.css";
import { useEffect, useRef } from "react";
import { useWords } from "../settings";
import { state_of, STATES, type DeviceRow, type Route, type Stop } from "../shapes";
import { hour } from "../time";
import { colours_of } from "./colours";
import { blank_map, fit } from "./map_ground";
import { place_labels, text_width, type Box, type Label, type Side } from "./labels";

type Props = {
  routes: Route[];
  devices: DeviceRow[];
  chosen: string | null;
  open_ticket: (ticket: string) => void;
};
type Spot = { latitude: number; longitude: number; title: string; state: string };
/** What is drawn at a place, and how wide. */
type Mark = [at: L.LatLngTuple, width: number];
/** A text on the map; `colour` makes it a technician's. */
type Name = { at: L.LatLngTuple; text: string; colour: string | null; gap: number; sides: Side[] };

const PIN_PX = 24;
const DOT_PX = 12;
const CORNERS: ((width: number, height: number) => Box)[] = [
  (_width, height) => ({ left: 0, top: height - 36, right: 140, bottom: height }), // the scale
  (width, height) => ({ left: width - 50, top: height - 84, right: width, bottom: height }), // the zoom
];

export default function PlanMap({ routes, devices, chosen, open_ticket }: Props) {
  const { say, pick, language } = useWords();
  const place = useRef<HTMLDivElement>(null);
  const map = useRef<L.Map | null>(null);
  const drawn = useRef<L.LayerGroup | null>(null);
  const fitted = useRef<L.LatLngTuple[]>([]);
  const written = useRef<() => void>(() => undefined);
  const open = useRef(open_ticket);
  open.current = open_ticket;

  useEffect(() => {
    const made = blank_map(place.current!);
    map.current = made;
    drawn.current = L.layerGroup().addTo(made);
    made.on("zoomend resize", () => written.current());
    const resize = new ResizeObserver(() => {
      const was_hidden = made.getSize().x === 0;
      made.invalidateSize();
      if (was_hidden) fit(made, fitted.current);
    });
    resize.observe(place.current!);
    return () => {
      resize.disconnect();
      made.remove();
      fitted.current = [];
    };
  }, []);

  useEffect(() => {
    const layer = drawn.current!.clearLayers();
    const colours = colours_of(routes.map((route) => route.technician));
    const label = (route: Route) => pick(route.technician_title);
    const pins: L.LatLngTuple[] = [];
    const names: Name[] = [];
    const sites = spots(devices, pick);
    const called = new Map<string, string>(); // the sites somebody goes to
    for (const route of routes.filter(({ stops }) => stops.length > 0)) {
      const colour = colours.get(route.technician)!;
      const faint = chosen !== null && chosen !== route.technician;
      track(route, colour, faint).addTo(layer);
      base(route, colour, faint, `${label(route)} · ${say("home_base")}`).addTo(layer);
      pins.push([route.home.latitude, route.home.longitude]);
      for (const calls of by_place(route)) {
        const { stop } = calls[0]!;
        const at: L.LatLngTuple = [stop.latitude, stop.longitude];
        const lines = calls.map(({ stop: one, n }) => `${n}. ${hour(one.arrive_at, language)} ${one.number}`);
        const beside = pins.filter(([lat, lng]) => lat === at[0] && lng === at[1]).length;
        badge(calls, colour, faint, beside, [`${pick(stop.site_title)} · ${label(route)}`, ...lines])
          .on("click", () => open.current(stop.ticket))
          .addTo(layer);
        pins.push(at);
        called.set(String(at), pick(stop.site_title));
        if (faint) continue;
        const text = `${label(route)} ${hour(stop.arrive_at, language)}`;
        names.push({ at, text, colour, gap: 16 + 20 * beside, sides: ["right", "left", "top", "bottom"] });
      }
    }
    for (const spot of sites) site(spot).addTo(layer);
    for (const spot of by_need(sites, called)) {
      const at: L.LatLngTuple = [spot.latitude, spot.longitude];
      const gap = called.has(String(at)) ? 14 : 8;
      names.push({ at, text: spot.title, colour: null, gap, sides: ["bottom", "top", "right", "left"] });
    }
    const written_on = L.layerGroup().addTo(layer);
    const marks = [
      ...pins.map((at): Mark => [at, PIN_PX]),
      ...sites.map((spot): Mark => [[spot.latitude, spot.longitude], DOT_PX]),
    ];
    written.current = () => write(map.current!, written_on.clearLayers(), names, marks);
    const all = points(routes, devices, chosen);
    // Only other places move the map: nobody's zoom is taken away.
    if (JSON.stringify(all) !== JSON.stringify(fitted.current)) fit(map.current!, all);
    fitted.current = all;
    written.current();
  }, [routes, devices, chosen, language, pick, say]);

  return (
    <figure className="map-frame">
      <div ref={place} className="map" role="region" aria-label={say("map_label")} />
      <figcaption className="muted">{say("map_schematic")}</figcaption>
    </figure>
  );
}

/** Writes the names that find room: technicians first, then where they go, then what is unwell. */
function write(map: L.Map, layer: L.LayerGroup, names: Name[], marks: Mark[]): void {
  const size = map.getSize();
  if (size.x === 0) return;
  const at = (place: L.LatLngTuple) => map.latLngToContainerPoint(place);
  const boxes = marks.map(([place, width]): Box => {
    const { x, y } = at(place);
    const half = width / 2;
    return { left: x - half, top: y - half, right: x + half, bottom: y + half };
  });
  const corners = CORNERS.map((corner) => corner(size.x, size.y));
  const labels = names.map((name): Label => {
    const { x, y } = at(name.at);
    const width = text_width(name.text) + (name.colour ? 14 : 4);
    return { x, y, width, height: name.colour ? 20 : 16, gap: name.gap, sides: name.sides };
  });
  place_labels(labels, [...boxes, ...corners], { width: size.x, height: size.y }).forEach((side, k) => {
    if (side) text_marker(names[k]!, side).addTo(layer);
  });
}

function text_marker(name: Name, side: Side): L.Marker {
  const html = element("span", name.text);
  html.className = `map-name ${side} ${name.colour ? "person" : ""}`;
  html.style.setProperty("--gap", `${name.gap}px`);
  if (name.colour) html.style.setProperty("--route", name.colour);
  const icon = L.divIcon({ className: "", html, iconSize: [0, 0] });
  const zIndexOffset = name.colour ? 600 : -100;
  return L.marker(name.at, { icon, interactive: false, keyboard: false, zIndexOffset });
}

/** One spot per place: the worst device there decides its colour. */
function spots(devices: DeviceRow[], pick: (words: DeviceRow["site_title"]) => string): Spot[] {
  const by_site = new Map<string, Spot>();
  for (const device of devices) {
    const known = by_site.get(device.site);
    if (known && rank(known.state) <= rank(device.state)) continue;
    const { latitude, longitude, state } = device;
    by_site.set(device.site, { latitude, longitude, state, title: pick(device.site_title) });
  }
  return [...by_site.values()];
}

function rank(state: string): number {
  return STATES.indexOf(state_of(state));
}

/** The sites in the order in which their names matter: called at, unwell, the rest. */
function by_need(sites: Spot[], called: Map<string, string>): Spot[] {
  const need = (spot: Spot) =>
    called.has(String([spot.latitude, spot.longitude])) ? -1 : rank(spot.state);
  return [...sites].sort((a, b) => need(a) - need(b));
}

function site(spot: Spot): L.CircleMarker {
  const state = state_of(spot.state);
  const marker = L.circleMarker([spot.latitude, spot.longitude], {
    radius: state === "NORMAL" ? 4 : 6,
    weight: 2,
    className: `spot ${state}`,
  });
  return marker.bindTooltip(element("span", spot.title), { direction: "bottom", offset: [0, 6] });
}

/** The way out is drawn full, the way home dashed. */
function track(route: Route, color: string, faint: boolean): L.LayerGroup {
  const home: L.LatLngTuple = [route.home.latitude, route.home.longitude];
  const stops = route.stops.map((stop): L.LatLngTuple => [stop.latitude, stop.longitude]);
  const line = { color, lineJoin: "round", interactive: false } as const;
  const opacity = faint ? 0.15 : 0.85;
  const back = L.polyline([stops.at(-1)!, home], { ...line, weight: 1.5, opacity, dashArray: "2 6" });
  return L.layerGroup([back, L.polyline([home, ...stops], { ...line, weight: 3, opacity })]);
}

const HOUSE = '<svg viewBox="0 0 16 16" width="13" height="13" aria-hidden="true"><path d="M8 2 1.5 7.6h2V14h3.4v-4h2.2v4h3.4V7.6h2z"/></svg>';

function base(route: Route, colour: string, faint: boolean, title: string): L.Marker {
  const html = pin("base", "", colour, faint);
  html.innerHTML = HOUSE;
  const icon = L.divIcon({ className: "", html, iconSize: [22, 22] });
  const at: L.LatLngTuple = [route.home.latitude, route.home.longitude];
  return L.marker(at, { icon, alt: title, keyboard: false }).bindTooltip(element("span", title));
}

type Call = { stop: Stop; n: number };

/** The stops of `route` with their numbers, those at the same place together. */
function by_place(route: Route): Call[][] {
  const places = new Map<string, Call[]>();
  route.stops.forEach((stop, index) => {
    const place = `${stop.latitude},${stop.longitude}`;
    places.set(place, [...(places.get(place) ?? []), { stop, n: index + 1 }]);
  });
  return [...places.values()];
}

/** A numbered pin; the `beside`-th at its place stands beside the ones before. */
function badge(calls: Call[], colour: string, faint: boolean, beside: number, lines: string[]): L.Marker {
  const text = calls.map(({ n }) => n).join("·");
  const width = PIN_PX + 10 * (calls.length - 1);
  const html = pin("stop", text, colour, faint);
  html.style.width = `${width}px`;
  const icon = L.divIcon({ className: "", html, iconSize: [width, 24], iconAnchor: [12 - 20 * beside, 12] });
  const tip = element("span", "");
  lines.forEach((line) => tip.append(element("div", line)));
  const { stop } = calls[0]!;
  return L.marker([stop.latitude, stop.longitude], {
    icon,
    alt: lines.join(", "),
    zIndexOffset: 500,
  }).bindTooltip(tip);
}

function pin(kind: string, text: string, colour: string, faint: boolean): HTMLElement {
  const made = element("span", text);
  made.className = `pin ${kind} ${faint ? "faint" : ""}`;
  made.style.setProperty("--route", colour);
  return made;
}

function element(tag: string, text: string): HTMLElement {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

function points(routes: Route[], devices: DeviceRow[], chosen: string | null): L.LatLngTuple[] {
  const wanted = routes.filter((route) => chosen === null || route.technician === chosen);
  const on_route = wanted.flatMap((route) => (route.stops.length ? [route.home, ...route.stops] : []));
  const all = on_route.length ? on_route : devices;
  return all.map(({ latitude, longitude }) => [latitude, longitude]);
}
