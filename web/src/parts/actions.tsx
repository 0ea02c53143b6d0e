/** The buttons of what may be done with a ticket now; some ask for a reason or an outcome first. */
import { App, Button, Form, Input, Select, Space } from "antd";
import { useState } from "react";
import { ask_for, is_here, type Ask } from "../action_forms";
import { useTicketAction, type Deed } from "../queries";
import { useWords } from "../settings";
import type { AllowedAction, Ticket } from "../shapes";
import { Trouble } from "./trouble";

export function Actions({ ticket }: { ticket: Ticket }) {
  const { say, pick } = useWords();
  const { message } = App.useApp();
  const action = useTicketAction(ticket.id);
  const [asking, ask] = useState<AllowedAction | null>(null);
  const send = (deed: Deed) =>
    action.mutate(deed, {
      onSuccess: () => {
        ask(null);
        void message.success(say("done"));
      },
    });
  const start = (chosen: AllowedAction) => {
    action.reset();
    if (ask_for(chosen.event)) ask(chosen);
    else send({ event: chosen.event, version: ticket.version });
  };
  const allowed = ticket.allowed_actions.filter(({ event }) => is_here(event));
  return (
    <section className="actions" aria-label={say("actions")}>
      {allowed.length === 0 && <p className="muted">{say("no_actions")}</p>}
      <Space wrap>
        {allowed.map((one, index) => (
          <Button
            key={one.event}
            type={index === 0 ? "primary" : "default"}
            loading={action.isPending && action.variables.event === one.event}
            disabled={asking?.event === one.event}
            onClick={() => start(one)}
          >
            {pick(one.title)}
          </Button>
        ))}
      </Space>
      {asking && (
        <Asking
          key={asking.event}
          ask={ask_for(asking.event)!}
          busy={action.isPending}
          cancel={() => ask(null)}
          send={(facts) => send({ event: asking.event, version: ticket.version, ...facts })}
        />
      )}
      {action.isError && <Trouble error={action.error} />}
    </section>
  );
}

type AskingProps = {
  ask: Ask;
  busy: boolean;
  cancel: () => void;
  send: (facts: Partial<Deed>) => void;
};

function Asking({ ask, busy, cancel, send }: AskingProps) {
  const { say } = useWords();
  const missing = say(ask.field === "reason" ? "reason_missing" : "outcome_missing");
  return (
    <Form layout="vertical" requiredMark={false} className="asking" onFinish={send}>
      <Form.Item
        name={ask.field}
        label={say(ask.field)}
        rules={[{ required: true, whitespace: true, message: missing }]}
      >
        {ask.choices ? (
          <Select autoFocus options={ask.choices.map(([value, key]) => ({ value, label: say(key) }))} />
        ) : (
          <Input.TextArea autoFocus rows={2} maxLength={500} />
        )}
      </Form.Item>
      <Space>
        <Button type="primary" htmlType="submit" loading={busy}>
          {say("confirm")}
        </Button>
        <Button onClick={cancel}>{say("cancel")}</Button>
      </Space>
    </Form>
  );
}
