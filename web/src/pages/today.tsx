/** The first page: how the devices are, what to do next, the tickets, today's plan. */
import { Segmented } from "antd";
import { lazy, Suspense, useState } from "react";
import { useOpened } from "../opened";
import { DevicesPanel } from "../parts/devices";
import { NextSteps } from "../parts/next_steps";
import { PlanPanel } from "../parts/plan";
import { TicketsPanel } from "../parts/tickets";
import { Tiles } from "../parts/tiles";
import { useWords } from "../settings";

const TicketDrawer = lazy(() => import("../parts/ticket_drawer"));
const DeviceDrawer = lazy(() => import("../parts/device_drawer"));

type Part = "tickets" | "plan" | "devices";

export default function TodayPage() {
  const { say } = useWords();
  const opened = useOpened();
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
          { value: "tickets", label: say("tickets") },
          { value: "plan", label: say("plan") },
          { value: "devices", label: say("devices") },
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
      </Suspense>
    </div>
  );
}
