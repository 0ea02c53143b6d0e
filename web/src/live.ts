/** Live events: ids and kinds only; each makes the answers stale that it may have changed.
 *
 * A browser opens few connections per server, so one tab listens (whoever holds the lock) and
 * tells the others over a channel.
 */
import { useQueryClient, type QueryClient } from "@tanstack/react-query";
import { useEffect, useSyncExternalStore } from "react";

export type LiveEvent = { id: number; type: string; subject: string };
type Note = { event: LiveEvent } | { live: boolean };

const STALE: Record<string, string[]> = {
  ticket: ["tickets", "ticket", "overview", "plan", "devices"],
  visit: ["tickets", "ticket", "plan"],
  technician: ["tickets", "ticket", "plan"],
  repair: ["tickets", "ticket"],
  plan: ["plan", "tickets", "overview"],
  alarm: ["overview", "devices", "device", "ticket"],
  fault: ["overview", "devices", "device", "ticket"],
  device: ["overview", "devices", "device", "tickets", "ticket"],
  quarantine: ["quarantine", "overview"],
  mapping: ["mappings", "preview"],
  credential: [],
};
const GATHER_MS = 700;
const RETRY_MS = 3000;

/** Returns the first words of the query keys that `type` makes stale; unknown types: all. */
export function stale_keys(type: string): string[] {
  return STALE[type.split(".")[0] ?? ""] ?? [...new Set(Object.values(STALE).flat())];
}

let live = true;
const watchers = new Set<() => void>();

function set_live(now: boolean): void {
  if (live === now) return;
  live = now;
  watchers.forEach((watcher) => watcher());
}

/** Returns whether events arrive. */
export function useIsLive(): boolean {
  const watch = (watcher: () => void) => {
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  };
  return useSyncExternalStore(watch, () => live);
}

/** Returns a function that gathers keys and makes them stale together, at most every GATHER_MS. */
function gatherer(queries: QueryClient): (keys: string[]) => void {
  const gathered = new Set<string>();
  let timer = 0;
  const flush = () => {
    timer = 0;
    gathered.forEach((key) => void queries.invalidateQueries({ queryKey: [key] }));
    gathered.clear();
  };
  return (keys) => {
    keys.forEach((key) => gathered.add(key));
    timer ||= window.setTimeout(flush, GATHER_MS);
  };
}

/** Listens until aborted, reconnecting; a fresh connection makes everything stale once. */
function listen(tell: (note: Note) => void, signal: AbortSignal): void {
  let was_lost = false;
  const connect = () => {
    if (signal.aborted) return;
    const source = new EventSource("/api/v1/events");
    const abort = () => source.close();
    signal.addEventListener("abort", abort, { once: true });
    source.onopen = () => {
      tell({ live: true });
      if (was_lost) tell({ event: { id: 0, type: "everything", subject: "" } });
      was_lost = false;
    };
    source.onmessage = (message) => tell({ event: JSON.parse(String(message.data)) as LiveEvent });
    source.onerror = () => {
      was_lost = true;
      tell({ live: false });
      if (source.readyState !== EventSource.CLOSED) return; // the browser reconnects
      signal.removeEventListener("abort", abort);
      window.setTimeout(connect, RETRY_MS);
    };
  };
  connect();
}

/** Runs `lead` in the one tab that holds the lock; everywhere, where there are no locks. */
function elect(lead: () => void, signal: AbortSignal): void {
  if (!("locks" in navigator)) return lead();
  const hold = () => {
    lead();
    return new Promise<void>((release) => signal.addEventListener("abort", () => release()));
  };
  navigator.locks.request("fieldcare-events", { signal }, hold).catch(() => undefined);
}

/** Keeps the answers fresh while the page that calls it is shown. */
export function useLive(): void {
  const queries = useQueryClient();
  useEffect(() => {
    const stop = new AbortController();
    const channel = new BroadcastChannel("fieldcare-events");
    const make_stale = gatherer(queries);
    const hear = (note: Note) =>
      "live" in note ? set_live(note.live) : make_stale(stale_keys(note.event.type));
    channel.onmessage = (message: MessageEvent<Note>) => hear(message.data);
    const tell = (note: Note) => {
      hear(note);
      channel.postMessage(note);
    };
    elect(() => listen(tell, stop.signal), stop.signal);
    return () => {
      stop.abort();
      channel.close();
    };
  }, [queries]);
}
