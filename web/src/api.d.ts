/** What the API answers; the shape of openapi-typescript's output, which will replace it. */

type Json<T> = { headers: Record<string, unknown>; content: { "application/json": T } };
type Nothing = { query?: never; header?: never; path?: never; cookie?: never };
type Parameters<Query, Path> = {
  query?: Query;
  header?: never;
  cookie?: never;
} & (Path extends undefined ? { path?: never } : { path: Path });
type Get<Query, Answer, Path = undefined> = {
  parameters: Parameters<Query, Path>;
  requestBody?: never;
  responses: { 200: Json<Answer> };
};
type Post<Body, Answer, Status extends number, Path = undefined> = {
  parameters: Parameters<never, Path>;
  requestBody: { content: { "application/json": Body } };
  responses: { [Code in Status]: Json<Answer> };
};

type S = components["schemas"];

export interface paths {
  "/api/v1/session": {
    get: Get<never, S["Session"]>;
    post: Post<S["Credentials"], S["Session"], 200>;
    delete: {
      parameters: Nothing;
      requestBody?: never;
      responses: { 204: { headers: Record<string, unknown>; content?: never } };
    };
  };
  "/api/v1/session/hints": { get: Get<never, { items: S["LoginHint"][] }> };
  "/api/v1/clock": { get: Get<never, S["Clock"]> };
  "/api/v1/overview": { get: Get<never, S["Overview"]> };
  "/api/v1/devices": {
    get: Get<
      { state?: string; limit?: number; after?: string },
      { items: S["DeviceRow"][]; next: string | null }
    >;
  };
  "/api/v1/devices/{id}": { get: Get<never, S["DeviceDetail"], { id: string }> };
  "/api/v1/devices/{id}/series": {
    get: Get<
      { metrics: string; from: string; to: string; points?: number },
      { series: S["Series"][] },
      { id: string }
    >;
  };
  "/api/v1/tickets": {
    get: Get<
      { state?: string; limit?: number; after?: string },
      { items: S["TicketRow"][]; next: string | null }
    >;
  };
  "/api/v1/tickets/{id}": { get: Get<never, S["TicketDetail"], { id: string }> };
  "/api/v1/tickets/{id}/actions": {
    post: Post<S["TicketAction"], S["TicketDetail"], 200, { id: string }>;
  };
  "/api/v1/plan": { get: Get<never, S["Plan"]> };
  "/api/v1/alarms": {
    get: Get<{ active?: boolean }, { items: S["AlarmRow"][]; next: string | null }>;
  };
  "/api/v1/quarantine": {
    get: Get<
      { reason?: string; limit?: number; after?: string },
      { items: S["Quarantined"][]; next: string | null; counts: Record<string, number> }
    >;
  };
  "/api/v1/demo/modes": { get: Get<never, { items: S["DemoMode"][] }> };
  "/api/v1/demo/faults": {
    post: Post<{ device: string; mode: string }, unknown, 201>;
  };
}

export interface components {
  schemas: {
    Words: { zh: string; en: string };
    Problem: {
      type: string;
      title: string;
      status: number;
      detail?: string;
      errors?: { field: string; message: string }[];
    };
    Credentials: { login: string; password: string };
    Session: { login: string; title: string; role: string; allowed: string[] };
    LoginHint: { login: string; password: string; role: string; title: S["Words"] };
    Clock: { now: string; speed: number; demo: boolean };
    Overview: {
      states: Record<string, number>;
      open_tickets: number;
      overdue: number;
      unserved: number;
      quarantined: number;
      devices: number;
      silent: number;
    };
    DeviceRow: {
      id: string;
      serial: string;
      model: string;
      model_title: S["Words"];
      site: string;
      site_title: S["Words"];
      latitude: number;
      longitude: number;
      state: string;
      score: number;
      last_seen_at: string | null;
      silent: boolean;
      component: string | null;
      component_title: S["Words"] | null;
      ticket: string | null;
    };
    DeviceDetail: S["DeviceRow"] & {
      components: { code: string; title: S["Words"]; state: string }[];
      metrics: S["MetricNow"][];
      faults: S["FaultRow"][];
    };
    MetricNow: {
      name: string;
      title: S["Words"];
      unit: string;
      component: string;
      value: number | null;
      at: string | null;
      warn: (number | null)[];
      fail: (number | null)[];
    };
    FaultRow: {
      id: string;
      component: string;
      says: S["Words"];
      opened_at: string;
      react_by: string | null;
      ticket: string | null;
    };
    Series: {
      name: string;
      title: S["Words"];
      unit: string;
      at: number[];
      low: (number | null)[];
      high: (number | null)[];
      mean: (number | null)[];
    };
    PromiseClock: {
      code: string;
      title: S["Words"];
      origin: string;
      state: string;
      start: string | null;
      due: string | null;
      stop: string | null;
      held_s: number;
      provisional: boolean;
      warn_at: number[];
    };
    VisitRow: {
      id: string;
      technician: string | null;
      technician_title: S["Words"] | null;
      state: string;
      state_title: S["Words"];
      arrive_at: string | null;
      leave_at: string | null;
      late_s: number | null;
    };
    AllowedAction: { event: string; title: S["Words"] };
    TicketRow: {
      id: string;
      number: string;
      kind: string;
      kind_title: S["Words"];
      origin: string;
      title: S["Words"];
      severity: number;
      state: string;
      state_title: S["Words"];
      device: string | null;
      site: string;
      site_title: S["Words"];
      component_title: S["Words"] | null;
      opened_at: string;
      version: number;
      promises: S["PromiseClock"][];
      visit: S["VisitRow"] | null;
      unserved: S["Words"] | null;
      allowed_actions: S["AllowedAction"][];
    };
    TicketDetail: S["TicketRow"] & {
      timeline: S["TimelineRow"][];
      fault: {
        id: string;
        says: S["Words"];
        state: string;
        opened_at: string;
        react_by: string | null;
      } | null;
      alarms: S["Evidenced"][];
    };
    TimelineRow: {
      id: number;
      at: string;
      recorded_at: string;
      type: string;
      title: S["Words"];
      actor: string;
      data: Record<string, unknown>;
    };
    Evidenced: {
      id: string;
      rule: string;
      severity: string;
      says: S["Words"];
      raised_at: string;
      cleared_at: string | null;
      evidence: Record<string, unknown>;
    };
    TicketAction: { event: string; version: number; reason?: string; outcome?: string };
    Stop: {
      ticket: string;
      number: string;
      title: S["Words"];
      site_title: S["Words"];
      latitude: number;
      longitude: number;
      arrive_at: string;
      start_at: string;
      end_at: string;
      travel_s: number;
      late_s: number;
      state: string;
    };
    Route: {
      technician: string;
      technician_title: S["Words"];
      home: { latitude: number; longitude: number };
      travel_s: number;
      stops: S["Stop"][];
    };
    Plan: {
      made_at: string | null;
      version: number;
      status: string;
      why: S["Words"] | null;
      routes: S["Route"][];
      unserved: { ticket: string; number: string; title: S["Words"]; why: S["Words"] }[];
      warnings: S["Words"][];
      costs: Record<string, number>;
    };
    AlarmRow: {
      id: string;
      device: string;
      component: string;
      component_title: S["Words"];
      rule: string;
      severity: string;
      state: string;
      says: S["Words"];
      raised_at: string;
      cleared_at: string | null;
    };
    Quarantined: {
      id: string;
      at: string;
      reason: string;
      reason_title: S["Words"];
      why: S["Words"];
      topic: string;
      sender: string | null;
      payload: string;
      count: number;
    };
    DemoMode: { id: string; model: string; title: S["Words"] };
  };
}
