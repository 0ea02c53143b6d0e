/** Demo only: makes the simulated device start to fail, to watch what follows. */
import ExperimentOutlined from "@ant-design/icons/ExperimentOutlined";
import { Alert, Button, Select } from "antd";
import { useState } from "react";
import { useDemoModes, useInject } from "../queries";
import { useWords } from "../settings";
import type { Device } from "../shapes";
import { Trouble } from "./trouble";

export function Inject({ device }: { device: Device }) {
  const { say, pick } = useWords();
  const [asking, set_asking] = useState(false);
  const [mode, set_mode] = useState<string | null>(null);
  const modes = useDemoModes(asking);
  const inject = useInject();
  const fitting = modes.data?.items.filter((one) => one.model === device.model) ?? [];
  if (inject.isSuccess)
    return <Alert type="success" showIcon title={say("inject_done")} className="trouble" />;
  if (!asking) {
    return (
      <Button icon={<ExperimentOutlined />} onClick={() => set_asking(true)} className="inject-button">
        {say("inject")}
      </Button>
    );
  }
  return (
    <section className="asking" aria-label={say("inject")}>
      <p className="muted">{say("inject_how")}</p>
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
        <Button
          type="primary"
          disabled={!mode}
          loading={inject.isPending}
          onClick={() => mode && inject.mutate({ device: device.id, mode })}
        >
          {say("inject_start")}
        </Button>
        <Button onClick={() => set_asking(false)}>{say("cancel")}</Button>
      </div>
      {modes.isError && <Trouble error={modes.error} retry={() => void modes.refetch()} />}
      {inject.isError && <Trouble error={inject.error} />}
    </section>
  );
}
