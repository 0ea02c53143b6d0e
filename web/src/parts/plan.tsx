/** Today's plan: who goes where and when, who is left over and why, on a map and as a list. */
import { Alert, Button, Skeleton } from "antd";
import { lazy, Suspense, useMemo, useState } from "react";
import { useNow } from "../clock";
import { useOpened } from "../opened";
import { useDevices, usePlan } from "../queries";
import { useWords } from "../settings";
import type { Certificate, Plan, Route, Stop } from "../shapes";
import { moment, span } from "../time";
import { counted, type Key } from "../words";
import { Caught } from "./caught";
import { CertificateChip } from "./certificate";
import { colours_of } from "./colours";
import { Hint } from "./hint";
import { Panel } from "./panel";
import { Trouble } from "./trouble";
import { Waiting } from "./waiting";

const PlanMap = lazy(() => import("./plan_map"));

const STATUS: Record<string, Key> = {
  fresh: "plan_fresh",
  planning: "plan_planning",
  failed: "plan_failed",
  none: "plan_none",
};

export function PlanPanel() {
  const { say } = useWords();
  const plan = usePlan();
  const extra = plan.data && <Status plan={plan.data} />;
  return (
    <Panel title={say("plan")} extra={extra} id="plan" className="plan">
      {plan.isPending && <Waiting rows={8} />}
      {plan.isError && !plan.data && <Trouble error={plan.error} retry={() => void plan.refetch()} />}
      {plan.data && <PlanBody plan={plan.data} />}
    </Panel>
  );
}

function Status({ plan }: { plan: Plan }) {
  const { say, language } = useWords();
  const now = useNow();
  return (
    <>
      {plan.made_at && (
        <span className="muted">{say("plan_made", { at: moment(plan.made_at, now, language) })}</span>
      )}
      <span className={`chip plan-${plan.status}`}>{say(STATUS[plan.status] ?? "unknown")}</span>
    </>
  );
}

/** Returns the routes, the one that begins first before the others. */
function in_order(routes: Route[]): Route[] {
  const first = (route: Route) => route.stops[0]?.arrive_at ?? "";
  return [...routes].sort((a, b) => first(a).localeCompare(first(b)));
}

function PlanBody({ plan }: { plan: Plan }) {
  const { say, pick } = useWords();
  const { open_ticket } = useOpened();
  const [chosen, choose] = useState<string | null>(null);
  const pages = useDevices(null).data?.pages;
  const devices = useMemo(() => pages?.flatMap((page) => page.items) ?? [], [pages]);
  const routes = useMemo(() => in_order(plan.routes), [plan.routes]);
  const colours = colours_of(routes.map((route) => route.technician));
  const shown = routes.some((route) => route.technician === chosen) ? chosen : null;
  return (
    <>
      {plan.status === "failed" && (
        <Alert type="warning" showIcon title={say("step_plan_failed")} description={pick(plan.why)} />
      )}
      <Unserved plan={plan} />
      <Warnings plan={plan} />
      {devices.length > 0 && (
        <Caught>
          <Suspense fallback={<Skeleton.Node active className="map" />}>
            <PlanMap routes={routes} devices={devices} chosen={shown} open_ticket={open_ticket} />
          </Suspense>
        </Caught>
      )}
      {routes.length === 0 && plan.unserved.length === 0 && (
        <Hint title={say(plan.made_at ? "no_visits" : "no_plan")} how={say("no_plan_how")} />
      )}
      {shown && (
        <Button size="small" className="all-routes" onClick={() => choose(null)}>
          {say("show_all_routes")}
        </Button>
      )}
      {routes.map((route) => (
        <RouteCard
          key={route.technician}
          route={route}
          colour={colours.get(route.technician)!}
          chosen={shown === route.technician}
          choose={() => choose(shown === route.technician ? null : route.technician)}
        />
      ))}
    </>
  );
}

function Warnings({ plan }: { plan: Plan }) {
  const { say, pick } = useWords();
  if (plan.warnings.length === 0) return null;
  return (
    <details className="warnings" open={plan.warnings.length <= 2}>
      <summary>
        {say("warnings")} ({plan.warnings.length})
      </summary>
      <ul>
        {plan.warnings.map((warning) => (
          <li key={warning.en}>{pick(warning)}</li>
        ))}
      </ul>
    </details>
  );
}

function Unserved({ plan }: { plan: Plan }) {
  const { say, pick } = useWords();
  const { open_ticket } = useOpened();
  if (plan.unserved.length === 0) return null;
  return (
    <section className="unserved">
      <h3>
        {say("unserved_visits")} ({plan.unserved.length})
      </h3>
      {plan.unserved.map((visit) => (
        <button key={visit.ticket} type="button" onClick={() => open_ticket(visit.ticket)}>
          <b className="number">{visit.number}</b> <span className="sentence">{pick(visit.title)}</span>
          <span className="over">{pick(visit.why)}</span>
        </button>
      ))}
    </section>
  );
}

type RouteProps = { route: Route; colour: string; chosen: boolean; choose: () => void };

function RouteCard({ route, colour, chosen, choose }: RouteProps) {
  const { say, pick, language } = useWords();
  const stops = route.stops.length;
  const travel = span(route.travel_s * 1000, language);
  return (
    <section className={`route ${stops ? "" : "idle"}`} style={{ "--route": colour } as React.CSSProperties}>
      <button
        type="button"
        className="route-head"
        aria-pressed={chosen}
        title={say("only_this_route")}
        onClick={choose}
        disabled={!stops}
      >
        <i aria-hidden />
        <b>{pick(route.technician_title)}</b>
        {certificates(route.stops).map((one) => (
          <CertificateChip key={one.family} certificate={one} />
        ))}
        <span className="muted route-sum">
          {stops ? say(counted(stops, "stops_one", "stops"), { n: stops }) : say("no_stops")}
          {route.travel_s > 0 && ` · ${say("travel", { t: travel })}`}
        </span>
      </button>
      {stops > 0 && (
        <ol>
          {route.stops.map((stop, index) => (
            <StopRow key={stop.ticket} stop={stop} n={index + 1} />
          ))}
        </ol>
      )}
    </section>
  );
}

/** Returns the certificates the stops ask for, each once. */
function certificates(stops: Stop[]): Certificate[] {
  const found = new Map<string, Certificate>();
  for (const { certificate } of stops) if (certificate) found.set(certificate.family, certificate);
  return [...found.values()];
}

const VISIT_STATES: Record<string, Key> = {
  planned: "visit_planned",
  offered: "visit_offered",
  accepted: "visit_accepted",
  travelling: "visit_travelling",
  on_site: "visit_on_site",
  left: "visit_left",
  signed: "visit_signed",
  filed: "visit_filed",
  aborted: "visit_aborted",
  cancelled: "visit_cancelled",
};
const THERE = new Set(["on_site", "left", "signed", "filed"]);

function StopRow({ stop, n }: { stop: Stop; n: number }) {
  const { say, pick, language } = useWords();
  const { open_ticket } = useOpened();
  const now = useNow();
  const state = VISIT_STATES[stop.state];
  const coming = !THERE.has(stop.state);
  return (
    <li>
      <button type="button" className="stop-row" onClick={() => open_ticket(stop.ticket)}>
        <span className="badge" aria-hidden>
          {n}
        </span>
        <time className="stop-time">{moment(stop.arrive_at, now, language)}</time>
        <span className="stop-what">
          <span>{pick(stop.site_title)}</span>
          <span className="muted">
            <b className="number">{stop.number}</b> <span className="sentence">{pick(stop.title)}</span>
          </span>
          {stop.why && <span className="muted">{pick(stop.why)}</span>}
        </span>
        <span className="stop-facts">
          <span className={`chip visit-${stop.state}`}>{state ? say(state) : say("unknown")}</span>
          {coming && stop.late_s >= 60 && (
            <span className="over">{say("late", { t: span(stop.late_s * 1000, language) })}</span>
          )}
          {coming && stop.late_s < 60 && <span className="good sentence">{say("on_time")}</span>}
          {coming && stop.travel_s >= 60 && (
            <span className="muted">{say("travel", { t: span(stop.travel_s * 1000, language) })}</span>
          )}
        </span>
      </button>
    </li>
  );
}
