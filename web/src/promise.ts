/** What a promise's clock says now, computed from what the server said and the time since. */
import type { PromiseClock, TicketRow } from "./shapes";

export type Tone = "calm" | "warn" | "urgent" | "over" | "done" | "still";
export type Reading = { tone: Tone; left_ms: number | null; used: number };

const RUNNING = new Set(["running", "overdue"]);

/** Returns how urgent `promise` is, what is left of it and the used share of its time. */
export function read(promise: PromiseClock, now_ms: number): Reading {
  const stopped: Reading = { tone: settled(promise.state), left_ms: null, used: 1 };
  if (!RUNNING.has(promise.state) || !promise.due) return stopped;
  const due = Date.parse(promise.due);
  const start = promise.start ? Date.parse(promise.start) : due;
  const used = due > start ? clamp((now_ms - start) / (due - start)) : 1;
  const left_ms = due - now_ms;
  if (promise.state === "overdue" || left_ms < 0)
    return { tone: "over", left_ms: Math.min(left_ms, 0), used: 1 };
  return { tone: tone(used, promise.warn_at), left_ms, used };
}

function tone(used: number, warn_at: number[]): Tone {
  const passed = warn_at.filter((share) => used >= share).length;
  if (passed === 0) return "calm";
  return passed < warn_at.length ? "warn" : "urgent";
}

function settled(state: string): Tone {
  if (state === "missed") return "over";
  return state === "held" || state === "idle" ? "still" : "done";
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share));
}

/** Returns the instant at which `ticket` is due first, Infinity if nothing runs. */
export function due_ms(ticket: Pick<TicketRow, "promises">): number {
  const dues = ticket.promises.filter((p) => RUNNING.has(p.state) && p.due).map((p) => Date.parse(p.due!));
  return Math.min(Infinity, ...dues);
}

/** Returns the tickets in the order in which they want attention: first due, then severity. */
export function by_urgency<T extends Pick<TicketRow, "promises" | "severity" | "number">>(tickets: T[]): T[] {
  const order = (a: T, b: T) => {
    const [x, y] = [due_ms(a), due_ms(b)];
    if (x !== y) return x < y ? -1 : 1;
    return a.severity - b.severity || a.number.localeCompare(b.number);
  };
  return [...tickets].sort(order);
}
