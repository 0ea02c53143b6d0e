/** The day on a map that needs no network: a grid of degrees, a scale, bases, sites and routes. */
import L from "leaflet";
import "leaflet/dist/leaflet.css";
import { useEffect, useRef } from "react";
import { useWords } from "../settings";
import { state_of, STATES, type DeviceRow, type Route, type Stop } from "../shapes";
import { hour } from "../time";
import { colour_of } from "./colours";
import { grid_lines, grid_step } from "./grid";

type Props = {
  routes: Route[];
  devices: DeviceRow[];
  chosen: string | null;
  open_ticket: (ticket: string) => void;
};
/** Up to so many sites are named on the map; of more, the one under the pointer. */
const NAMED = 16;
const SCALE_PX = 44;

type Spot = { latitude: number; longitude: number; title: string; state: string };

export default function PlanMap({ routes, devices, chosen, open_ticket }: Props) {
  const { say, pick, language } = useWords();
  const place = useRef<HTMLDivElement>(null);
  const map = useRef<L.Map | null>(null);
  const drawn = useRef<L.LayerGroup | null>(null);
  const fitted = useRef<L.LatLngTuple[]>([]);
  const open = useRef(open_ticket);
  open.current = open_ticket;

  useEffect(() => {
    const made = blank_map(place.current!);
    map.current = made;
    drawn.current = L.layerGroup().addTo(made);
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
    const shown = routes
      .map((route, index) => ({ route, colour: colour_of(index) }))
      .filter(({ route }) => route.stops.length > 0);
    const sites = spots(devices, pick);
    for (const spot of sites) site(spot, sites.length <= NAMED).addTo(layer);
    const beside_at = new Map<string, number>();
    const label = (route: Route) => pick(route.technician_title);
    for (const { route, colour } of shown) {
      const faint = chosen !== null && chosen !== route.technician;
      track(route, colour, faint).addTo(layer);
      base(route, colour, faint, `${label(route)} · ${say("home_base")}`).addTo(layer);
      for (const calls of by_place(route)) {
        const { stop } = calls[0]!;
        const title = `${pick(stop.site_title)} · ${label(route)}`;
        const lines = calls.map(({ stop: one, n }) => `${n}. ${hour(one.arrive_at, language)} ${one.number}`);
        const place = `${stop.latitude},${stop.longitude}`;
        const beside = beside_at.get(place) ?? 0;
        beside_at.set(place, beside + 1);
        badge(calls, colour, faint, beside, [title, ...lines])
          .on("click", () => open.current(stop.ticket))
          .addTo(layer);
      }
    }
    const all = points(
      shown.map(({ route }) => route),
      devices,
      chosen,
    );
    // Only other places move the map: nobody's zoom is taken away.
    if (JSON.stringify(all) !== JSON.stringify(fitted.current)) fit(map.current!, all);
    fitted.current = all;
  }, [routes, devices, chosen, language, pick, say]);

  return <div ref={place} className="map" role="region" aria-label={say("map_label")} />;
}

function blank_map(place: HTMLElement): L.Map {
  const map = L.map(place, {
    attributionControl: false,
    zoomControl: false,
    zoomSnap: 0.25,
    scrollWheelZoom: false,
    dragging: !L.Browser.mobile,
    center: [31.2, 121.5],
    zoom: 9,
    fadeAnimation: false,
  });
  L.control.zoom({ position: "bottomright" }).addTo(map);
  L.control.scale({ imperial: false, maxWidth: 120 }).addTo(map);
  const grid = L.layerGroup().addTo(map);
  map.on("moveend", () => draw_grid(map, grid));
  draw_grid(map, grid);
  return map;
}

function draw_grid(map: L.Map, grid: L.LayerGroup): void {
  grid.clearLayers();
  const bounds = map.getBounds();
  const step = grid_step(bounds.getEast() - bounds.getWest());
  const style = { className: "grid-line", interactive: false, weight: 1 };
  for (const longitude of grid_lines(bounds.getWest(), bounds.getEast(), step)) {
    L.polyline(
      [
        [bounds.getSouth() - 1, longitude],
        [bounds.getNorth() + 1, longitude],
      ],
      style,
    ).addTo(grid);
    degree([bounds.getNorth(), longitude], `${trim(longitude)}° E`, "top").addTo(grid);
  }
  for (const latitude of grid_lines(bounds.getSouth(), bounds.getNorth(), step)) {
    L.polyline(
      [
        [latitude, bounds.getWest() - 1],
        [latitude, bounds.getEast() + 1],
      ],
      style,
    ).addTo(grid);
    const above_scale = map.getSize().y - map.latLngToContainerPoint([latitude, 0]).y > SCALE_PX;
    if (above_scale) degree([latitude, bounds.getWest()], `${trim(latitude)}° N`, "side").addTo(grid);
  }
}

function trim(degrees: number): string {
  return String(Number(degrees.toFixed(3)));
}

function degree(at: L.LatLngTuple, text: string, side: "top" | "side"): L.Marker {
  const icon = L.divIcon({ className: `degree ${side}`, html: element("span", text), iconSize: [0, 0] });
  return L.marker(at, { icon, interactive: false, keyboard: false });
}

/** One spot per place: the worst device there decides its colour. */
function spots(devices: DeviceRow[], pick: (words: DeviceRow["site_title"]) => string): Spot[] {
  const by_site = new Map<string, Spot>();
  const rank = (state: string) => STATES.indexOf(state_of(state));
  for (const device of devices) {
    const known = by_site.get(device.site);
    if (known && rank(known.state) <= rank(device.state)) continue;
    const { latitude, longitude, state } = device;
    by_site.set(device.site, { latitude, longitude, state, title: pick(device.site_title) });
  }
  return [...by_site.values()];
}

function site(spot: Spot, named: boolean): L.CircleMarker {
  const marker = L.circleMarker([spot.latitude, spot.longitude], {
    radius: 5,
    weight: 2,
    className: `spot ${state_of(spot.state)}`,
  });
  return marker.bindTooltip(element("span", spot.title), {
    direction: "bottom",
    offset: [0, 6],
    permanent: named,
    className: named ? "name" : "",
  });
}

function track(route: Route, colour: string, faint: boolean): L.Polyline {
  const home: L.LatLngTuple = [route.home.latitude, route.home.longitude];
  const stops = route.stops.map((stop): L.LatLngTuple => [stop.latitude, stop.longitude]);
  return L.polyline([home, ...stops, home], {
    color: colour,
    weight: 3,
    opacity: faint ? 0.15 : 0.85,
    lineJoin: "round",
    interactive: false,
  });
}

function base(route: Route, colour: string, faint: boolean, title: string): L.Marker {
  const icon = L.divIcon({ className: "", html: pin("base", "⌂", colour, faint), iconSize: [22, 22] });
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
  const width = 24 + 10 * (calls.length - 1);
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
  const on_route = wanted.flatMap((route) => [route.home, ...route.stops]);
  const all = on_route.length ? on_route : devices;
  return all.map(({ latitude, longitude }) => [latitude, longitude]);
}

/** Shows all of `at`. */
function fit(map: L.Map, at: L.LatLngTuple[]): void {
  if (at.length === 0 || map.getSize().x === 0) return;
  map.fitBounds(L.latLngBounds(at), { padding: [36, 36], maxZoom: 13, animate: false });
}
