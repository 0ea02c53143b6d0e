/** One ticket: why it is there, what can be done, its promises, its visit, what happened. */
import { Timeline } from "antd";
import { useNow } from "../clock";
import { useOpened } from "../opened";
import { useTicket } from "../queries";
import { useWords } from "../settings";
import type { PromiseClock, Ticket, TimelineRow, Visit } from "../shapes";
import { moment, span } from "../time";
import { Actions } from "./actions";
import { Alarms } from "./alarms";
import { Arrival } from "./arrival";
import { CertificateChip } from "./certificate";
import { PromiseCountdown } from "./promise_clock";
import { Sheet } from "./sheet";

export default function TicketDrawer({ id }: { id: string }) {
  const { pick } = useWords();
  const ticket = useTicket(id);
  return (
    <Sheet name={ticket.data?.number ?? id} words={pick(ticket.data?.title)} query={ticket}>
      {(data) => <Body ticket={data} />}
    </Sheet>
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
        <Happened rows={ticket.timeline} outcomes={ticket.outcomes} />
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
      <span className={`chip severity-${ticket.severity}`} title={say("severity_scale")}>{say("severity", { n: ticket.severity })}</span>
      <span className="chip">{pick(ticket.kind_title)}</span>
      <span>{pick(ticket.site_title)}</span>
      {ticket.device && (
        <button type="button" className="link" onClick={() => open_device(ticket.device!)}>
          {ticket.device}
        </button>
      )}
      <span className="sentence">{pick(ticket.component_title)}</span>
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
      {react_by && Date.parse(react_by) > now && (
        <p className="over">{say("act_before", { at: moment(react_by, now, language) })}</p>
      )}
      {!ticket.fault && ticket.alarms.length === 0 && <p className="muted">{say("why_report")}</p>}
      <Alarms alarms={ticket.alarms} device={ticket.device} says={says} />
    </>
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
  if (!visit?.technician && unserved) {
    return <p className="over">{say("unserved", { why: pick(unserved) })}</p>;
  }
  if (!visit) return <p className="muted">{say("no_visit")}</p>;
  return (
    <p className="facts-line">
      <b>{pick(visit.technician_title) || say("nobody")}</b>
      <CertificateChip certificate={visit.certificate} />
      <span className={`chip visit-${visit.state}`}>{pick(visit.state_title)}</span>
      <Arrival visit={visit} />
      {visit.leave_at && <span>{say("leaves", { at: moment(visit.leave_at, now, language) })}</span>}
    </p>
  );
}

const LATER_MS = 60_000;

/** What was said along with an event: the reason somebody gave, the outcome. */
function Told({ row, outcomes }: { row: TimelineRow; outcomes: Ticket["outcomes"] }) {
  const { pick } = useWords();
  const { reason, outcome } = row.data;
  const found = outcomes.find((one) => one.code === outcome);
  if (found) return <p className="sentence">{pick(found.title)}</p>;
  if (typeof reason !== "string" || MACHINE_REASONS.has(reason)) return null;
  return <p>{reason}</p>;
}

const MACHINE_REASONS = new Set(["replanned"]);

type HappenedProps = { rows: TimelineRow[]; outcomes: Ticket["outcomes"] };

function Happened({ rows, outcomes }: HappenedProps) {
  const { say, pick, language } = useWords();
  const now = useNow();
  const later = (row: TimelineRow) => Date.parse(row.recorded_at) - Date.parse(row.at);
  return (
    <Timeline
      items={rows.map((row) => ({
        key: row.id,
        content: (
          <>
            <span className="sentence">{pick(row.title)}</span>
            <Told row={row} outcomes={outcomes} />
            <p className="muted facts-line">
              <time>{moment(row.at, now, language)}</time>
              <span className="sentence">{pick(row.actor_title)}</span>
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
