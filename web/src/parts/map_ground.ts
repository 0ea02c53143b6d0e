/** The empty map: no tiles, a faint grid of degrees, a scale, and how it is moved. */
import L from "leaflet";
import { grid_lines, grid_step } from "./grid";

const MARGIN_PX: L.PointTuple = [44, 34];
const NEAREST = 11.5;

/** Returns a map in `place` that asks no server for anything. */
export function blank_map(place: HTMLElement): L.Map {
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
  L.control.scale({ imperial: false, maxWidth: 100 }).addTo(map);
  const grid = L.layerGroup().addTo(map);
  map.on("moveend", () => draw_grid(map, grid));
  draw_grid(map, grid);
  return map;
}

/** Shows all of `at`. */
export function fit(map: L.Map, at: L.LatLngTuple[]): void {
  if (at.length === 0 || map.getSize().x === 0) return;
  map.fitBounds(L.latLngBounds(at), { padding: MARGIN_PX, maxZoom: NEAREST, animate: false });
}

function draw_grid(map: L.Map, grid: L.LayerGroup): void {
  grid.clearLayers();
  const bounds = map.getBounds();
  const [west, east] = [bounds.getWest(), bounds.getEast()];
  const [south, north] = [bounds.getSouth(), bounds.getNorth()];
  const step = grid_step(east - west);
  const line = (from: L.LatLngTuple, to: L.LatLngTuple) =>
    L.polyline([from, to], { className: "grid-line", interactive: false, weight: 1 }).addTo(grid);
  for (const lng of grid_lines(west, east, step)) line([south - 1, lng], [north + 1, lng]);
  for (const lat of grid_lines(south, north, step)) line([lat, west - 1], [lat, east + 1]);
}
