/** The tickets, most urgent first, each with its running promises and who is on the way. */
import { Button, Segmented } from "antd";
import { useState } from "react";
import { useNow } from "../clock";
import { useOpened } from "../opened";
import { by_urgency } from "../promise";
import { useClock, useTickets } from "../queries";
import { useWords } from "../settings";
import type { TicketRow } from "../shapes";
import { moment, span } from "../time";
import { Hint } from "./hint";
import { Panel } from "./panel";
import { PromiseCountdown } from "./promise_clock";
import { Trouble } from "./trouble";
import { Waiting } from "./waiting";

export function TicketsPanel() {
  const { say } = useWords();
  const [state, set_state] = useState<"open" | "all">("open");
  const chooser = (
    <Segmented
      value={state}
      onChange={set_state}
      options={[
        { value: "open", label: say("tickets_open") },
        { value: "all", label: say("tickets_all") },
      ]}
    />
  );
  return (
    <Panel title={say("tickets")} extra={chooser} id="tickets">
      <TicketList state={state === "open" ? "open" : null} />
    </Panel>
  );
}

function TicketList({ state }: { state: string | null }) {
  const { say } = useWords();
  const tickets = useTickets(state);
  const demo = useClock().data?.demo;
  if (tickets.isPending) return <Waiting rows={5} />;
  if (tickets.isError) return <Trouble error={tickets.error} retry={() => void tickets.refetch()} />;
  const items = tickets.data.pages.flatMap((page) => page.items);
  if (items.length === 0) {
    const how = [say("no_tickets_how"), demo ? say("no_tickets_demo") : ""].join(" ");
    return <Hint title={say("no_tickets")} how={how} />;
  }
  return (
    <>
      <ul className="tickets">
        {by_urgency(items).map((ticket) => (
          <TicketItem key={ticket.id} ticket={ticket} />
        ))}
      </ul>
      {tickets.hasNextPage && (
        <Button
          type="link"
          block
          loading={tickets.isFetchingNextPage}
          onClick={() => void tickets.fetchNextPage()}
        >
          {say("more")}
        </Button>
      )}
    </>
  );
}

const ALIVE = new Set(["running", "overdue", "held"]);

function TicketItem({ ticket }: { ticket: TicketRow }) {
  const { say, pick } = useWords();
  const { open_ticket } = useOpened();
  const alive = ticket.promises.filter((p) => ALIVE.has(p.state));
  const shown = alive.length ? alive : ticket.promises.filter((p) => p.state !== "idle").slice(0, 2);
  return (
    <li>
      <button type="button" className="ticket" onClick={() => open_ticket(ticket.id)}>
        <span className="ticket-what">
          <span className="ticket-line">
            <b className="number">{ticket.number}</b>
            <span className={`chip severity-${ticket.severity}`}>
              {say("severity", { n: ticket.severity })}
            </span>
            <span className="chip">{pick(ticket.kind_title)}</span>
            {ticket.state !== "open" && <span className="chip">{pick(ticket.state_title)}</span>}
          </span>
          <span className="ticket-title">{pick(ticket.title)}</span>
          <span className="muted ticket-where">
            {[pick(ticket.site_title), ticket.device, pick(ticket.component_title)]
              .filter(Boolean)
              .join(" · ")}
          </span>
          <VisitLine ticket={ticket} />
        </span>
        <span className="ticket-clocks">
          {shown.map((promise) => (
            <PromiseCountdown key={promise.code} promise={promise} />
          ))}
        </span>
      </button>
    </li>
  );
}

function VisitLine({ ticket }: { ticket: TicketRow }) {
  const { say, pick, language } = useWords();
  const now = useNow();
  if (ticket.unserved) {
    return <span className="visit-line over">{say("unserved", { why: pick(ticket.unserved) })}</span>;
  }
  const visit = ticket.visit;
  if (!visit)
    return ticket.state === "open" ? <span className="visit-line muted">{say("no_visit")}</span> : null;
  const late = visit.late_s ?? 0;
  return (
    <span className="visit-line">
      <b>{pick(visit.technician_title) || say("nobody")}</b>
      <span className="chip">{pick(visit.state_title)}</span>
      {visit.arrive_at && <span>{say("arrives", { at: moment(visit.arrive_at, now, language) })}</span>}
      {late >= 60 && <span className="over">{say("late", { t: span(late * 1000, language) })}</span>}
    </span>
  );
}
