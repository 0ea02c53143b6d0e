/** What each action asks before it can be sent. */
import type { Key } from "./words";

export type Ask = { field: "reason" | "outcome"; choices?: [code: string, key: Key][] };

const RESOLUTIONS: [string, Key][] = [
  ["repaired", "repaired"],
  ["part_replaced", "part_replaced"],
  ["device_replaced", "device_replaced"],
  ["adjusted", "adjusted"],
  ["maintained", "maintained"],
  ["no_fault_found", "no_fault_found"],
  ["solved_remotely", "solved_remotely"],
  ["answered", "answered"],
  ["recovered", "recovered"],
];
const VISIT_RESULTS: [string, Key][] = [
  ["done", "visit_done"],
  ["parts_needed", "parts_needed"],
  ["not_solved", "not_solved"],
];
const REASON: Ask = { field: "reason" };

const ASKS: Record<string, Ask> = {
  resolve: { field: "outcome", choices: RESOLUTIONS },
  leave: { field: "outcome", choices: VISIT_RESULTS },
  cancel: REASON,
  reopen: REASON,
  refuse: REASON,
  recall: REASON,
  abort: REASON,
  arrive: REASON,
};

/** These need a form of their own, which this page does not have. */
const ELSEWHERE = new Set(["merge", "sign", "plan"]);

/** Returns what `event` asks for, null if it can be sent at once; "visit.leave" is "leave". */
export function ask_for(event: string): Ask | null {
  return ASKS[last_word(event)] ?? null;
}

/** Returns whether `event` can be done on this page. */
export function is_here(event: string): boolean {
  return !ELSEWHERE.has(last_word(event));
}

function last_word(event: string): string {
  return event.split(".").at(-1)!;
}
