/** Demo only: makes the simulated device start to fail, and shows step by step what follows. */
import CheckCircleFilled from "@ant-design/icons/CheckCircleFilled";
import ExperimentOutlined from "@ant-design/icons/ExperimentOutlined";
import LoadingOutlined from "@ant-design/icons/LoadingOutlined";
import { Button, Select } from "antd";
import { useState, type ReactNode } from "react";
import { server_now, useNow } from "../clock";
import { useOpened } from "../opened";
import { useClock, useDemoModes, useInject, useTicket } from "../queries";
import { useWords } from "../settings";
import type { Device, DemoMode, Fault } from "../shapes";
import { moment } from "../time";
import { CertificateChip } from "./certificate";
import { Arrival } from "./arrival";
import { Trouble } from "./trouble";

type Injected = { at_ms: number; title: DemoMode["title"] };
/** What was injected since the page was loaded, by device. */
const injected = new Map<string, Injected>();

export function Inject({ device }: { device: Device }) {
  const { say } = useWords();
  const [asking, set_asking] = useState(false);
  const [, set_started] = useState(injected.get(device.id));
  const started = injected.get(device.id);
  const start = (one: Injected) => {
    injected.set(device.id, one);
    set_started(one);
    set_asking(false);
  };
  return (
    <div className="inject-part">
      {started && <Follow device={device} started={started} />}
      {asking ? (
        <Choice device={device} start={start} cancel={() => set_asking(false)} />
      ) : (
        <Button icon={<ExperimentOutlined />} onClick={() => set_asking(true)} className="inject-button">
          {say("inject")}
        </Button>
      )}
    </div>
  );
}

type ChoiceProps = { device: Device; start: (one: Injected) => void; cancel: () => void };

function Choice({ device, start, cancel }: ChoiceProps) {
  const { say, pick } = useWords();
  const [mode, set_mode] = useState<string | null>(null);
  const modes = useDemoModes(true);
  const inject = useInject();
  const speed = useClock().data?.speed ?? 1;
  const fitting = modes.data?.items.filter((one) => one.model === device.model) ?? [];
  const send = () => {
    const chosen = fitting.find((one) => one.id === mode);
    if (!chosen) return;
    const started = { at_ms: server_now(), title: chosen.title };
    inject.mutate({ device: device.id, mode: chosen.id }, { onSuccess: () => start(started) });
  };
  return (
    <section className="asking" aria-label={say("inject")}>
      <p>{say("inject_how")}</p>
      <ol className="foretold muted">
        <li>{say("inject_step_drift")}</li>
        <li>{say("inject_step_rule")}</li>
        <li>{say("inject_step_ticket")}</li>
        <li>{say("inject_step_visit")}</li>
      </ol>
      <div className="inject">
        <Select
          aria-label={say("inject_choose")}
          placeholder={say("inject_choose")}
          loading={modes.isPending}
          notFoundContent={say("inject_nothing")}
          value={mode}
          onChange={set_mode}
          options={fitting.map((one) => ({ value: one.id, label: pick(one.title) }))}
        />
        <Button type="primary" disabled={!mode} loading={inject.isPending} onClick={send}>
          {say("inject_start")}
        </Button>
        <Button onClick={cancel}>{say("back")}</Button>
      </div>
      <p className="muted inject-wait">{say("inject_wait", { n: speed })}</p>
      {modes.isError && <Trouble error={modes.error} retry={() => void modes.refetch()} />}
      {inject.isError && <Trouble error={inject.error} />}
    </section>
  );
}

/** Returns the first fault that the rules found after `at_ms`. */
function found_after(faults: Fault[], at_ms: number): Fault | undefined {
  return faults
    .filter((fault) => Date.parse(fault.opened_at) >= at_ms)
    .sort((a, b) => a.opened_at.localeCompare(b.opened_at))[0];
}

function Follow({ device, started }: { device: Device; started: Injected }) {
  const { say, pick, language } = useWords();
  const { open_ticket } = useOpened();
  const now = useNow();
  const fault = found_after(device.faults, started.at_ms);
  return (
    <section className="asking" aria-label={say("inject_follow")} aria-live="polite">
      <h3>{say("inject_follow")}</h3>
      <ol className="follow">
        <Passed done>
          {say("inject_begun", { mode: pick(started.title), at: moment(started.at_ms, now, language) })}
        </Passed>
        <Passed done={fault !== undefined}>
          {fault ? <span className="sentence">{pick(fault.says)}</span> : say("inject_step_rule")}
        </Passed>
        <Passed done={Boolean(fault?.ticket)}>
          {say("inject_step_ticket")}{" "}
          {fault?.ticket && (
            <button type="button" className="link" onClick={() => open_ticket(fault.ticket!)}>
              {fault.ticket}
            </button>
          )}
        </Passed>
        {fault?.ticket ? <Sent ticket={fault.ticket} /> : <Passed>{say("inject_step_visit")}</Passed>}
      </ol>
    </section>
  );
}

function Sent({ ticket }: { ticket: string }) {
  const { say, pick } = useWords();
  const answer = useTicket(ticket).data;
  const visit = answer?.visit;
  if (!visit?.technician) {
    const why = answer?.unserved;
    return <Passed>{why ? say("unserved", { why: pick(why) }) : say("inject_step_visit")}</Passed>;
  }
  return (
    <Passed done>
      <span className="facts-line">
        <b>{pick(visit.technician_title)}</b>
        <CertificateChip certificate={visit.certificate} />
        <Arrival visit={visit} />
      </span>
    </Passed>
  );
}

function Passed({ done = false, children }: { done?: boolean; children: ReactNode }) {
  return (
    <li className={done ? "done" : ""}>
      {done ? <CheckCircleFilled aria-hidden /> : <LoadingOutlined aria-hidden />}
      <span>{children}</span>
    </li>
  );
}
