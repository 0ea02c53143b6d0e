/** The first page: how the devices are, what to do next, the tickets, today's plan. */
import { Segmented } from "antd";
import { lazy, Suspense, useState, type ReactNode } from "react";
import { useTour } from "../first_visit";
import { useOpened } from "../opened";
import { DevicesPanel } from "../parts/devices";
import { NextSteps } from "../parts/next_steps";
import { PlanPanel } from "../parts/plan";
import { TicketsPanel } from "../parts/tickets";
import { Tiles } from "../parts/tiles";
import { useOverview, usePlan, useTickets } from "../queries";
import { useWords } from "../settings";

const TicketDrawer = lazy(() => import("../parts/ticket_drawer"));
const GuidedTour = lazy(() => import("../parts/tour"));
const DeviceDrawer = lazy(() => import("../parts/device_drawer"));

type Part = "tickets" | "plan" | "devices";

export default function TodayPage() {
  const { say } = useWords();
  const opened = useOpened();
  const [touring, end_tour] = useTour();
  const counts = useCounts();
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
      <Suspense>
        {opened.ticket && <TicketDrawer key={opened.ticket} id={opened.ticket} />}
        {opened.device && <DeviceDrawer key={opened.device} id={opened.device} />}
        {touring && counts.known && !opened.ticket && !opened.device && <GuidedTour close={end_tour} />}
      </Suspense>
    </div>
  );
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
