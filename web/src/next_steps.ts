/** What a dispatcher should do next, most urgent first. */
import { by_urgency, due_ms, read } from "./promise";
import type { Overview, Plan, TicketRow } from "./shapes";
import { counted, type Facts, type Key } from "./words";

export type Target = { ticket: string } | { state: string } | { page: string };
export type Step = { id: string; key: Key; facts: Facts; tone: "over" | "warn" | "info"; to: Target };

type Worded = (span_ms: number) => string;

const SHOWN = 4;

/** Returns at most four steps; `left` words the time to a deadline, `lasts` any other. */
export function next_steps(
  overview: Overview | undefined,
  tickets: TicketRow[],
  plan: Plan | undefined,
  now_ms: number,
  left: Worded,
  lasts: Worded = left,
): Step[] {
  const steps = [
    ...overdue(tickets, now_ms),
    ...unserved(plan),
    ...soon(tickets, now_ms, left),
    ...late(tickets, lasts),
    ...plan_failed(plan),
    ...counts(overview),
  ];
  return steps.slice(0, SHOWN);
}

/** Returns the ticket whose deadline comes first, if any runs. */
export function next_due(tickets: TicketRow[]): TicketRow | null {
  const first = by_urgency(tickets)[0];
  return first && due_ms(first) < Infinity ? first : null;
}

function overdue(tickets: TicketRow[], now_ms: number): Step[] {
  const late = by_urgency(tickets).filter((t) => due_ms(t) < now_ms);
  const first = late[0];
  if (!first) return [];
  const key = counted(late.length, "step_overdue_one", "step_overdue");
  const facts = { n: late.length, ticket: first.number };
  return [{ id: "overdue", key, facts, tone: "over", to: { ticket: first.id } }];
}

function unserved(plan: Plan | undefined): Step[] {
  const first = plan?.unserved[0];
  if (!plan || !first) return [];
  const key = counted(plan.unserved.length, "step_unserved_one", "step_unserved");
  const facts = { n: plan.unserved.length, ticket: first.number };
  return [{ id: "unserved", key, facts, tone: "over", to: { ticket: first.ticket } }];
}

function soon(tickets: TicketRow[], now_ms: number, left: Worded): Step[] {
  const urgent = (t: TicketRow) => t.promises.some((p) => ["warn", "urgent"].includes(read(p, now_ms).tone));
  return by_urgency(tickets)
    .filter((t) => due_ms(t) >= now_ms && urgent(t))
    .slice(0, 2)
    .map((t) => ({
      id: `soon-${t.id}`,
      key: "step_soon",
      facts: { ticket: t.number, left: left(due_ms(t) - now_ms) },
      tone: "warn",
      to: { ticket: t.id },
    }));
}

const COMING = new Set(["planned", "offered", "accepted", "travelling"]);
const LATE_S = 60;

/** The visit that comes too late by most: somebody may know a faster way, or must tell the customer. */
function late(tickets: TicketRow[], lasts: Worded): Step[] {
  const late_s = (ticket: TicketRow) =>
    ticket.visit && COMING.has(ticket.visit.state) ? (ticket.visit.late_s ?? 0) : 0;
  const worst = [...tickets].sort((a, b) => late_s(b) - late_s(a))[0];
  if (!worst || late_s(worst) < LATE_S) return [];
  const facts = { ticket: worst.number, t: lasts(late_s(worst) * 1000) };
  return [{ id: "late", key: "step_late", facts, tone: "warn", to: { ticket: worst.id } }];
}

function plan_failed(plan: Plan | undefined): Step[] {
  if (plan?.status !== "failed") return [];
  return [{ id: "plan", key: "step_plan_failed", facts: {}, tone: "warn", to: { page: "#plan" } }];
}

function counts(overview: Overview | undefined): Step[] {
  if (!overview) return [];
  const failing = overview.states.FAILURE ?? 0;
  const steps: [number, Step][] = [
    [failing, step("failing", failing, "step_failing_one", "step_failing", "over", { state: "FAILURE" })],
    [
      overview.silent,
      step("silent", overview.silent, "step_silent_one", "step_silent", "warn", { state: "SILENT" }),
    ],
    [
      overview.quarantined,
      step("quarantined", overview.quarantined, "step_quarantined_one", "step_quarantined", "info", {
        page: "/quarantine",
      }),
    ],
  ];
  return steps.filter(([n]) => n > 0).map(([, one]) => one);
}

function step(id: string, n: number, one: Key, many: Key, tone: Step["tone"], to: Target): Step {
  return { id, key: counted(n, one, many), facts: { n }, tone, to };
}
