/** Names for what the API answers, taken from the paths, so that a change there is seen here. */
import type { paths } from "./api";

type Answer<Operation, Code extends number = 200> = Operation extends {
  responses: { [C in Code]: { content: { "application/json": infer Body } } };
}
  ? Body
  : never;

export type Words = { zh: string; en: string };
export type Session = Answer<paths["/api/v1/session"]["get"]>;
export type LoginHint = Answer<paths["/api/v1/session/hints"]["get"]>["items"][number];
export type Clock = Answer<paths["/api/v1/clock"]["get"]>;
export type Overview = Answer<paths["/api/v1/overview"]["get"]>;
export type DeviceRow = Answer<paths["/api/v1/devices"]["get"]>["items"][number];
type DevicePage = Answer<paths["/api/v1/devices/{id}"]["get"]>;
type Band = (number | null)[]; // the typed client takes a pair for a list
export type Metric = Omit<DevicePage["metrics"][number], "warn" | "fail"> & { warn: Band; fail: Band };
export type Device = Omit<DevicePage, "metrics"> & { metrics: Metric[] };
export type Fault = Device["faults"][number];
export type Series = Answer<paths["/api/v1/devices/{id}/series"]["get"]>["series"][number];
export type TicketRow = Answer<paths["/api/v1/tickets"]["get"]>["items"][number];
export type Ticket = Answer<paths["/api/v1/tickets/{id}"]["get"]>;
export type PromiseClock = TicketRow["promises"][number];
export type Visit = NonNullable<TicketRow["visit"]>;
export type Certificate = NonNullable<Visit["certificate"]>;
export type Alarm = Ticket["alarms"][number];
export type TimelineRow = Ticket["timeline"][number];
export type AllowedAction = TicketRow["allowed_actions"][number];
export type Plan = Answer<paths["/api/v1/plan"]["get"]>;
export type Route = Plan["routes"][number];
export type Stop = Route["stops"][number];
export type Quarantined = Answer<paths["/api/v1/quarantine"]["get"]>["items"][number];
export type Refused = Answer<paths["/api/v1/quarantine/{id}"]["get"]>;
export type MappingDraft = Required<
  paths["/api/v1/mappings"]["put"]["requestBody"]["content"]["application/json"]
>;
export type WhichMessages = { ids?: string[]; reason?: string; device?: string };
export type DemoMode = Answer<paths["/api/v1/demo/modes"]["get"]>["items"][number];

export type Problem = {
  type?: string;
  title: string;
  status: number;
  detail?: string | null;
  errors?: { field: string; message: string }[] | null;
};

/** NE 107 states, worst first. */
export const STATES = ["FAILURE", "MAINTENANCE_REQUIRED", "OFF_SPEC", "CHECK_FUNCTION", "NORMAL"] as const;
export type State = (typeof STATES)[number];

/** Returns the NE 107 state a code names; an unknown code asks for a look. */
export function state_of(code: string): State {
  return (STATES as readonly string[]).includes(code) ? (code as State) : "CHECK_FUNCTION";
}
