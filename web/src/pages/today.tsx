/** The first page: how the devices are, what to do next, the tickets, today's plan. */
import { Segmented } from "antd";
import { lazy, Suspense, useEffect, useState, type ReactNode } from "react";
import { Caught } from "../parts/caught";
import { useTour } from "../first_visit";
import { useOpened } from "../opened";
import { DevicesPanel } from "../parts/devices";
import { NextSteps } from "../parts/next_steps";
import { PlanPanel } from "../parts/plan";
import { TicketsPanel } from "../parts/tickets";
import { Tiles } from "../parts/tiles";
import { useOverview, usePlan, useTickets } from "../queries";
import { useWords } from "../settings";

const load_ticket = () => import("../parts/ticket_drawer");
const load_device = () => import("../parts/device_drawer");
const load_chart = () => import("../parts/chart");
const TicketDrawer = lazy(load_ticket);
const DeviceDrawer = lazy(load_device);
const GuidedTour = lazy(() => import("../parts/tour"));

const AHEAD_MS = 1500;

type Part = "tickets" | "plan" | "devices";

export default function TodayPage() {
  const { say } = useWords();
  const opened = useOpened();
  const [touring, end_tour] = useTour();
  const counts = useCounts();
  useLoadedAhead(counts.known);
  const [part, set_part] = useState<Part>("tickets");
  const choose_state = (state: string | null) => {
    opened.choose_state(state);
    set_part("devices");
    document.getElementById("devices")?.scrollIntoView({ block: "nearest", behavior: "smooth" });
  };
  return (
    <div className="today">
      <h1 className="unseen">{say("today")}</h1>
      <NextSteps choose_state={choose_state} show={set_part} />
      <Tiles chosen={opened.state} choose={choose_state} />
      <Segmented
        block
        className="parts"
        value={part}
        onChange={set_part}
        options={[
          { value: "tickets", label: with_count(say("tickets"), counts.tickets) },
          { value: "plan", label: with_count(say("plan_short"), counts.visits) },
          { value: "devices", label: with_count(say("devices"), counts.unwell) },
        ]}
      />
      <div className={`board show-${part}`}>
        <div className="left">
          <TicketsPanel />
          <DevicesPanel />
        </div>
        <PlanPanel />
      </div>
      <Caught aside key={opened.ticket ?? opened.device ?? ""}>
        <Suspense>
        {opened.ticket && <TicketDrawer key={opened.ticket} id={opened.ticket} />}
        {opened.device && <DeviceDrawer key={opened.device} id={opened.device} />}
        {touring && counts.known && !opened.ticket && !opened.device && <GuidedTour close={end_tour} />}
        </Suspense>
      </Caught>
    </div>
  );
}

/** What a click will need comes while nobody waits for it, and is there without a server. */
function useLoadedAhead(ready: boolean): void {
  useEffect(() => {
    if (!ready) return;
    const later = window.setTimeout(() => {
      for (const load of [load_ticket, load_device, load_chart]) void load().catch(() => undefined);
    }, AHEAD_MS);
    return () => window.clearTimeout(later);
  }, [ready]);
}

/** How much there is in each part: open tickets, visits of the plan, devices that are not normal. */
function useCounts() {
  const overview = useOverview().data;
  const plan = usePlan().data;
  const tickets = useTickets("open").data;
  return {
    known: overview !== undefined && tickets !== undefined && plan !== undefined,
    tickets: overview?.open_tickets ?? 0,
    visits: plan?.routes.reduce((sum, route) => sum + route.stops.length, 0) ?? 0,
    unwell: overview ? overview.devices - (overview.states.NORMAL ?? 0) : 0,
  };
}

function with_count(label: string, n: number): ReactNode {
  return n > 0 ? (
    <>
      {label} <b className="part-count">{n}</b>
    </>
  ) : (
    label
  );
}
