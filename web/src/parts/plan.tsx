/** Today's plan: who goes where and when, who is left over and why, on a map and as a list. */
import { Alert, Button, Skeleton } from "antd";
import { lazy, Suspense, useState } from "react";
import { useNow } from "../clock";
import { useOpened } from "../opened";
import { useDevices, usePlan } from "../queries";
import { useWords } from "../settings";
import type { Plan, Route, Stop } from "../shapes";
import { moment, span } from "../time";
import { counted, type Key } from "../words";
import { colour_of } from "./colours";
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
      {plan.isError && <Trouble error={plan.error} retry={() => void plan.refetch()} />}
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

function PlanBody({ plan }: { plan: Plan }) {
  const { say, pick } = useWords();
  const { open_ticket } = useOpened();
  const [chosen, choose] = useState<string | null>(null);
  const devices = useDevices(null).data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <>
      {plan.status === "failed" && (
        <Alert type="warning" showIcon title={say("step_plan_failed")} description={pick(plan.why)} />
      )}
      <Unserved plan={plan} />
      {plan.warnings.length > 0 && (
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
      )}
      {plan.routes.length === 0 ? (
        <Hint title={say(plan.made_at ? "no_visits" : "no_plan")} how={say("no_plan_how")} />
      ) : (
        <>
          <Suspense fallback={<Skeleton.Node active className="map" />}>
            <PlanMap routes={plan.routes} devices={devices} chosen={chosen} open_ticket={open_ticket} />
          </Suspense>
          {chosen && (
            <Button size="small" className="all-routes" onClick={() => choose(null)}>
              {say("show_all_routes")}
            </Button>
          )}
          {plan.routes.map((route, index) => (
            <RouteCard
              key={route.technician}
              route={route}
              colour={colour_of(index)}
              chosen={chosen === route.technician}
              choose={() => choose(chosen === route.technician ? null : route.technician)}
            />
          ))}
        </>
      )}
    </>
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
          <b className="number">{visit.number}</b> {pick(visit.title)}
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
  return (
    <section className={`route ${stops ? "" : "idle"}`} style={{ "--route": colour } as React.CSSProperties}>
      <button type="button" className="route-head" aria-pressed={chosen} onClick={choose} disabled={!stops}>
        <i aria-hidden />
        <b>{pick(route.technician_title)}</b>
        <span className="muted">
          {stops ? say(counted(stops, "stops_one", "stops"), { n: stops }) : say("no_stops")}
          {stops > 0 && ` · ${say("travel", { t: span(route.travel_s * 1000, language) })}`}
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

function StopRow({ stop, n }: { stop: Stop; n: number }) {
  const { say, pick, language } = useWords();
  const { open_ticket } = useOpened();
  const now = useNow();
  const state = VISIT_STATES[stop.state];
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
            <b className="number">{stop.number}</b> {pick(stop.title)}
          </span>
          {stop.why && <span className="muted">{pick(stop.why)}</span>}
        </span>
        <span className="stop-facts">
          <span className="chip">{state ? say(state) : stop.state}</span>
          {stop.late_s >= 60 ? (
            <span className="over">{say("late", { t: span(stop.late_s * 1000, language) })}</span>
          ) : (
            <span className="good">{say("on_time")}</span>
          )}
          <span className="muted">{say("travel", { t: span(stop.travel_s * 1000, language) })}</span>
        </span>
      </button>
    </li>
  );
}
