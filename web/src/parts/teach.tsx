/** The form that teaches what a device means; what it says is tried on the message meanwhile. */
import { App, Button, Input, Radio, Select } from "antd";
import { useState } from "react";
import { useTeach } from "../queries";
import { useWords } from "../settings";
import type { MappingDraft, Refused } from "../shapes";
import { unit_text } from "../units";
import { Trouble } from "./trouble";

type Props = { message: Refused; change: (draft: MappingDraft | null) => void };

/** Returns what the form begins with: what the reason speaks of. */
function first(message: Refused): MappingDraft {
  const sent = message.wrong[0] ?? "";
  if (message.reason === "unknown_device") return { kind: "device", sent: message.device, means: "", model: "", device: "" };
  const kind = message.reason === "wrong_unit" ? "values" : "metric";
  return { kind, sent, means: "", model: message.model ?? "", device: "" };
}

export function Teach({ message, change }: Props) {
  const { say, pick } = useWords();
  const app = App.useApp();
  const teach = useTeach();
  const [draft, set] = useState(() => first(message));
  const [ignored, ignore] = useState(false);
  const about_ids = draft.kind === "device" || draft.kind === "site";
  const complete = draft.sent !== "" && (draft.means !== "" || ignored);
  const put = (part: Partial<MappingDraft>, ignoring = false) => {
    const next = { ...draft, ...part };
    set(next);
    ignore(ignoring);
    change(next.sent && (next.means || ignoring) ? next : null);
  };
  const put_kind = (kind: string) => {
    const whom = kind === "device" || kind === "site" ? "" : message.model ?? "";
    put({ kind, means: "", model: whom, device: "" });
  };
  const save = () =>
    teach.mutate(draft, { onSuccess: () => void app.message.success(say("taught")) });
  return (
    <form
      className="teach"
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
    >
      <label>
        <span>{say("teach_kind")}</span>
        <Select
          value={draft.kind}
          onChange={put_kind}
          options={Object.entries(message.kinds).map(([value, title]) => ({ value, label: pick(title) }))}
        />
      </label>
      <label>
        <span>{say("teach_sent")}</span>
        <Input value={draft.sent} maxLength={60} onChange={(event) => put({ sent: event.target.value }, ignored)} />
      </label>
      <label>
        <span>{say("teach_means")}</span>
        <Means message={message} draft={draft} ignored={ignored} put={put} />
      </label>
      {!about_ids && message.model && (
        <div className="labelled" role="group" aria-label={say("teach_for")}>
          <span>{say("teach_for")}</span>
          <Radio.Group
            value={draft.device ? "device" : "model"}
            onChange={(event) =>
              put(
                event.target.value === "device"
                  ? { device: message.device, model: "" }
                  : { device: "", model: message.model ?? "" },
                ignored,
              )
            }
            options={[
              { value: "model", label: say("teach_for_model", { model: message.model }) },
              { value: "device", label: say("teach_for_device", { device: message.device }) },
            ]}
          />
        </div>
      )}
      <Button type="primary" htmlType="submit" disabled={!complete} loading={teach.isPending}>
        {say("teach_save")}
      </Button>
      {teach.isSuccess && <p className="good">{say("taught_how")}</p>}
      {teach.isError && <Trouble error={teach.error} />}
    </form>
  );
}

type MeansProps = {
  message: Refused;
  draft: MappingDraft;
  ignored: boolean;
  put: (part: Partial<MappingDraft>, ignoring?: boolean) => void;
};

function Means({ message, draft, ignored, put }: MeansProps) {
  const { say, pick } = useWords();
  if (draft.kind === "metric" && message.metrics.length > 0) {
    const metrics = message.metrics.map((one) => ({
      value: one.name,
      label: `${pick(one.title)} · ${one.name} (${unit_text(one.unit)})`,
    }));
    return (
      <Select
        showSearch={{ optionFilterProp: "label" }}
        value={ignored ? "" : draft.means || null}
        placeholder={say("teach_choose")}
        onChange={(means: string) => put({ means }, means === "")}
        options={[{ value: "", label: say("teach_ignore") }, ...metrics]}
      />
    );
  }
  if (draft.kind === "device" && message.devices.length > 0) {
    return (
      <Select
        showSearch
        value={draft.means || null}
        placeholder={say("teach_choose")}
        onChange={(means: string) => put({ means })}
        options={message.devices.map((value) => ({ value, label: value }))}
      />
    );
  }
  return <Input value={draft.means} maxLength={60} onChange={(event) => put({ means: event.target.value })} />;
}
