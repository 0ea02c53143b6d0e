/** One ticket: why it is there, what can be done, its promises, its visit, what happened. */
import { Drawer, Skeleton, Timeline } from "antd";
import { lazy, Suspense, useMemo } from "react";
import { useNow } from "../clock";
import { read_evidence, type Evidence } from "../evidence";
import { useOpened } from "../opened";
import { useDevice, useTicket } from "../queries";
import { useWords } from "../settings";
import type { Alarm, Metric, PromiseClock, Ticket, TimelineRow, Visit } from "../shapes";
import { moment, span } from "../time";
import { figures, quantity } from "../units";
import { Actions } from "./actions";
import type { ChartLine } from "./chart";
import { PromiseCountdown } from "./promise_clock";
import { Trouble } from "./trouble";

const Chart = lazy(() => import("./chart"));
const DAY_MS = 86_400_000;

export default function TicketDrawer({ id }: { id: string }) {
  const { say, pick } = useWords();
  const { close } = useOpened();
  const ticket = useTicket(id);
  return (
    <Drawer
      open
      onClose={close}
      size={760}
      title={
        <span className="drawer-title">
          <b className="number">{ticket.data?.number ?? id}</b>
          <span className="drawer-words">{pick(ticket.data?.title)}</span>
        </span>
      }
      closable={{ "aria-label": say("close") }}
      className="drawer"
    >
      {ticket.isPending && <Skeleton active paragraph={{ rows: 12 }} />}
      {ticket.isError && <Trouble error={ticket.error} retry={() => void ticket.refetch()} />}
      {ticket.data && <Body ticket={ticket.data} />}
    </Drawer>
  );
}

function Body({ ticket }: { ticket: Ticket }) {
  const { say } = useWords();
  return (
    <>
      <Head ticket={ticket} />
      <Actions ticket={ticket} />
      <Part title={say("why")}>
        <Why ticket={ticket} />
      </Part>
      <Part title={say("promises")}>
        <Promises promises={ticket.promises} />
      </Part>
      <Part title={say("visit")}>
        <VisitFacts visit={ticket.visit} unserved={ticket.unserved} />
      </Part>
      <Part title={say("timeline")}>
        <Happened rows={ticket.timeline} />
      </Part>
    </>
  );
}

function Part({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <section className="part">
      <h3>{title}</h3>
      {children}
    </section>
  );
}

function Head({ ticket }: { ticket: Ticket }) {
  const { say, pick, language } = useWords();
  const { open_device } = useOpened();
  const now = useNow();
  return (
    <div className="facts-line">
      <span className={`chip state-${ticket.state}`}>{pick(ticket.state_title)}</span>
      <span className={`chip severity-${ticket.severity}`}>{say("severity", { n: ticket.severity })}</span>
      <span className="chip">{pick(ticket.kind_title)}</span>
      <span>{pick(ticket.site_title)}</span>
      {ticket.device && (
        <button type="button" className="link" onClick={() => open_device(ticket.device!)}>
          {ticket.device}
        </button>
      )}
      <span>{pick(ticket.component_title)}</span>
      <span className="muted">
        {say("opened")} {moment(ticket.opened_at, now, language)}
      </span>
    </div>
  );
}

function Why({ ticket }: { ticket: Ticket }) {
  const { say, pick, language } = useWords();
  const now = useNow();
  const react_by = ticket.fault?.react_by;
  const says = pick(ticket.fault?.says);
  const said_below = ticket.alarms.some((alarm) => pick(alarm.says) === says);
  return (
    <>
      {says && !said_below && <p className="says">{says}</p>}
      {react_by && <p className="over">{say("act_before", { at: moment(react_by, now, language) })}</p>}
      {!ticket.fault && ticket.alarms.length === 0 && <p className="muted">{say("why_report")}</p>}
      {ticket.alarms.map((alarm) => (
        <AlarmCard key={alarm.id} alarm={alarm} ticket={ticket} />
      ))}
    </>
  );
}

function AlarmCard({ alarm, ticket }: { alarm: Alarm; ticket: Ticket }) {
  const { say, pick, language } = useWords();
  const now = useNow();
  const seen = useMemo(() => read_evidence(alarm.evidence), [alarm.evidence]);
  return (
    <article className="alarm">
      <p>
        <span className={`dot ${alarm.severity}`} aria-hidden /> {pick(alarm.says)}
      </p>
      <p className="muted facts-line">
        <span>{moment(alarm.raised_at, now, language)}</span>
        <span>
          {alarm.cleared_at ? say("cleared", { at: moment(alarm.cleared_at, now, language) }) : say("active")}
        </span>
        <span>
          {say("rule")} <code>{alarm.rule}</code>
        </span>
        {seen.historical && <span className="chip">{say("historical")}</span>}
      </p>
      {seen.at.length > 1 && <Seen seen={seen} alarm={alarm} ticket={ticket} />}
    </article>
  );
}

function Seen({ seen, alarm, ticket }: { seen: Evidence; alarm: Alarm; ticket: Ticket }) {
  const { say, pick } = useWords();
  const metric = useMetric(ticket.device, alarm.metric);
  const unit = metric?.unit ?? "1";
  const lines = seen.lines.map((line): ChartLine => {
    return { value: line.value, kind: line.kind, label: `${say(line.key)} ${quantity(line.value, unit)}` };
  });
  return (
    <>
      <Suspense fallback={<Skeleton.Node active className="chart-waiting" />}>
        <Chart
          title={pick(metric?.title) || alarm.metric}
          unit={unit}
          at={seen.at}
          mean={seen.value}
          trend={trend(seen)}
          lines={lines}
          all_limits
          height={190}
        />
      </Suspense>
      <p className="muted">{say("evidence_window", { n: seen.at.length })}</p>
      <Facts seen={seen} unit={unit} />
    </>
  );
}

function useMetric(device: string | null, name: string): Metric | undefined {
  return useDevice(device ?? "", device !== null).data?.metrics.find((metric) => metric.name === name);
}

/** The straight line of a trend rule, through its level at the last point. */
function trend(seen: Evidence): number[] | undefined {
  const { level, slope_per_day, at } = seen;
  const last = at.at(-1);
  if (level === null || slope_per_day === null || last === undefined) return undefined;
  return at.map((ms) => level + (slope_per_day * (ms - last)) / DAY_MS);
}

function Facts({ seen, unit }: { seen: Evidence; unit: string }) {
  const { say, language } = useWords();
  const now = useNow();
  const text = {
    value: (v: number) => quantity(v, unit),
    bare: figures,
    span: (v: number) => span(v, language),
    time: (v: number) => moment(v, now, language),
  };
  return (
    <dl className="facts">
      {seen.facts.map((fact) => (
        <div key={fact.key}>
          <dt>{say(fact.key)}</dt>
          <dd>{text[fact.shown](fact.value)}</dd>
        </div>
      ))}
    </dl>
  );
}

function Promises({ promises }: { promises: PromiseClock[] }) {
  const { say, language } = useWords();
  const now = useNow();
  if (promises.length === 0) return <p className="muted">{say("no_promises")}</p>;
  return (
    <div className="promises">
      {promises.map((promise) => (
        <div key={promise.code}>
          <PromiseCountdown promise={promise} />
          <p className="muted facts-line">
            <code>{promise.code}</code>
            {promise.start && <span>{say("started_at", { at: moment(promise.start, now, language) })}</span>}
            {promise.stop && <span>{say("stopped_at", { at: moment(promise.stop, now, language) })}</span>}
            {promise.held_s > 0 && (
              <span>{say("held_for", { t: span(promise.held_s * 1000, language) })}</span>
            )}
          </p>
        </div>
      ))}
    </div>
  );
}

function VisitFacts({ visit, unserved }: { visit: Visit | null; unserved: Ticket["unserved"] }) {
  const { say, pick, language } = useWords();
  const now = useNow();
  if (!visit && unserved) {
    return <p className="over">{say("unserved", { why: pick(unserved) })}</p>;
  }
  if (!visit) return <p className="muted">{say("no_visit")}</p>;
  const late = visit.late_s ?? 0;
  return (
    <p className="facts-line">
      <b>{pick(visit.technician_title) || say("nobody")}</b>
      <span className="chip">{pick(visit.state_title)}</span>
      {visit.arrive_at && <span>{say("arrives", { at: moment(visit.arrive_at, now, language) })}</span>}
      {visit.leave_at && <span>{say("leaves", { at: moment(visit.leave_at, now, language) })}</span>}
      {late >= 60 && <span className="over">{say("late", { t: span(late * 1000, language) })}</span>}
    </p>
  );
}

const LATER_MS = 60_000;

function Happened({ rows }: { rows: TimelineRow[] }) {
  const { say, pick, language } = useWords();
  const now = useNow();
  const later = (row: TimelineRow) => Date.parse(row.recorded_at) - Date.parse(row.at);
  return (
    <Timeline
      items={rows.map((row) => ({
        key: row.id,
        content: (
          <>
            <span>{pick(row.title)}</span>
            <p className="muted facts-line">
              <time>{moment(row.at, now, language)}</time>
              <span>{row.actor}</span>
              {later(row) > LATER_MS && (
                <span>
                  {say("recorded_later", {
                    t: span(later(row), language),
                    at: moment(row.recorded_at, now, language),
                  })}
                </span>
              )}
            </p>
          </>
        ),
      }))}
    />
  );
}
