/** The tickets, most urgent first, each with its running promises and who is on the way. */
import { Button, Segmented } from "antd";
import { useRef, useState } from "react";
import { useOpened } from "../opened";
import { by_urgency } from "../promise";
import { useClock, useTickets } from "../queries";
import { useWords } from "../settings";
import type { TicketRow } from "../shapes";
import { Arrival } from "./arrival";
import { CertificateChip } from "./certificate";
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
  const items = tickets.data?.pages.flatMap((page) => page.items);
  const arrived = useArrived(items, state);
  if (!items) {
    if (!tickets.isError) return <Waiting rows={5} />;
    return <Trouble error={tickets.error} retry={() => void tickets.refetch()} />;
  }
  if (items.length === 0) {
    const how = [say("no_tickets_how"), demo ? say("no_tickets_demo") : ""].join(" ");
    return <Hint title={say("no_tickets")} how={how} />;
  }
  return (
    <>
      <ul className="tickets">
        {by_urgency(items).map((ticket) => (
          <TicketItem key={ticket.id} ticket={ticket} arrived={arrived.has(ticket.id)} />
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

/** Returns the ids that came while the list was shown; they light up once. */
function useArrived(items: TicketRow[] | undefined, list: string | null): Set<string> {
  const known = useRef<{ list: string | null; ids: Set<string> } | null>(null);
  const arrived = useRef(new Set<string>());
  if (items && known.current?.list === list) {
    for (const { id } of items) if (!known.current.ids.has(id)) arrived.current.add(id);
  }
  if (items) known.current = { list, ids: new Set([...(known.current?.ids ?? []), ...items.map((t) => t.id)]) };
  return arrived.current;
}

const ALIVE = new Set(["running", "overdue", "held"]);

function TicketItem({ ticket, arrived }: { ticket: TicketRow; arrived: boolean }) {
  const { say, pick } = useWords();
  const { open_ticket } = useOpened();
  const alive = ticket.promises.filter((p) => ALIVE.has(p.state));
  const shown = alive.length ? alive : ticket.promises.filter((p) => p.state !== "idle").slice(0, 2);
  return (
    <li className={arrived ? "arrived" : ""}>
      <button type="button" className="ticket" onClick={() => open_ticket(ticket.id)}>
        <span className="ticket-what">
          <span className="ticket-line">
            <b className="number">{ticket.number}</b>
            <span className={`chip severity-${ticket.severity}`} title={say("severity_scale")}>
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
  const { say, pick } = useWords();
  const visit = ticket.visit;
  if (ticket.unserved && !visit?.technician) {
    return <span className="visit-line over">{say("unserved", { why: pick(ticket.unserved) })}</span>;
  }
  if (!visit)
    return ticket.state === "open" ? <span className="visit-line muted">{say("no_visit")}</span> : null;
  return (
    <span className="visit-line">
      <b>{pick(visit.technician_title) || say("nobody")}</b>
      <CertificateChip certificate={visit.certificate} />
      <span className={`chip visit-${visit.state}`}>{pick(visit.state_title)}</span>
      <Arrival visit={visit} />
    </span>
  );
}
