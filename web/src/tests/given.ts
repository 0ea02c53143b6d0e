/** Builders with defaults, for tests. */
import type { Overview, Plan, PromiseClock, TicketRow, Visit } from "../shapes";

export const NOW = Date.parse("2026-03-12T02:00:00Z");
const MINUTE = 60_000;

/** An instant so many minutes from NOW. */
export function minutes(n: number): string {
  return new Date(NOW + n * MINUTE).toISOString();
}

export function promise(changes: Partial<PromiseClock> = {}): PromiseClock {
  return {
    code: "C03",
    title: { zh: "2小时到场", en: "on site within 2 hours" },
    origin: "contract",
    origin_title: { zh: "合同承诺", en: "contract" },
    state_title: { zh: "计时中", en: "running" },
    state: "running",
    start: minutes(-30),
    due: minutes(90),
    stop: null,
    held_s: 0,
    provisional: false,
    warn_at: [0.5, 0.75],
    ...changes,
  };
}

export function ticket(number: string, changes: Partial<TicketRow> = {}): TicketRow {
  return {
    id: number,
    number,
    kind: "preventive",
    kind_title: { zh: "预防性工单", en: "preventive ticket" },
    origin: "device",
    title: { zh: "清洗真空", en: "wash vacuum" },
    severity: 2,
    state: "open",
    state_title: { zh: "处理中", en: "open" },
    device: "CHEM-003",
    site: "S01",
    site_title: { zh: "滨江医院", en: "Riverside Hospital" },
    component: null,
    component_title: null,
    reported_at: null,
    outcome: null,
    opened_at: minutes(-30),
    version: 1,
    promises: [promise()],
    visit: null,
    unserved: null,
    allowed_actions: [],
    ...changes,
  };
}

export function visit(changes: Partial<Visit> = {}): Visit {
  return {
    id: "V-1",
    technician: "E01",
    technician_title: { zh: "工程师甲", en: "Engineer A" },
    state: "accepted",
    state_title: { zh: "已接单", en: "accepted" },
    arrive_at: minutes(20),
    leave_at: minutes(110),
    late_s: 0,
    certificate: null,
    ...changes,
  };
}

export function plan(changes: Partial<Plan> = {}): Plan {
  return {
    made_at: minutes(-4),
    version: "1",
    status: "fresh",
    why: null,
    routes: [],
    unserved: [],
    warnings: [],
    costs: {},
    ...changes,
  };
}

export function overview(changes: Partial<Overview> = {}): Overview {
  return {
    states: {},
    state_titles: {},
    open_tickets: 0,
    overdue: 0,
    unserved: 0,
    quarantined: 0,
    devices: 0,
    silent: 0,
    ...changes,
  };
}
