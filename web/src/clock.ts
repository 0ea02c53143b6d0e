/** The time the server lives in: in a demo it runs faster than the wall clock. */
import { useSyncExternalStore } from "react";

export type Anchor = { server_ms: number; local_ms: number; speed: number };

/** Returns the server's instant now, from what it said at `anchor` and how fast it runs. */
export function interpolate(anchor: Anchor, local_ms: number): number {
  return anchor.server_ms + Math.max(0, local_ms - anchor.local_ms) * anchor.speed;
}

let anchor: Anchor = { server_ms: Date.now(), local_ms: performance.now(), speed: 1 };
let shown = anchor.server_ms;
let timer = 0;
const watchers = new Set<() => void>();

/** Keeps what the server said its time is. */
export function set_clock(now: string, speed: number): void {
  anchor = { server_ms: Date.parse(now), local_ms: performance.now(), speed };
  tick();
}

/** Returns the server's instant now, in ms. */
export function server_now(): number {
  return interpolate(anchor, performance.now());
}

function tick(): void {
  shown = server_now();
  watchers.forEach((watcher) => watcher());
}

function watch(watcher: () => void): () => void {
  watchers.add(watcher);
  if (watchers.size === 1) timer = window.setInterval(tick, 1000);
  return () => {
    watchers.delete(watcher);
    if (watchers.size === 0) window.clearInterval(timer);
  };
}

/** Returns the server's instant, new every second; one timer serves the whole page. */
export function useNow(): number {
  return useSyncExternalStore(watch, () => shown);
}
