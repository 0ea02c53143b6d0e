/** The buttons of what may be done with a ticket now; some ask for a reason or an outcome first. */
import { App, Button, Form, Input, Select, Space } from "antd";
import { useState } from "react";
import { useTicketAction, type Deed } from "../queries";
import { useWords } from "../settings";
import type { AllowedAction, Ticket } from "../shapes";
import type { Key } from "../words";
import { Trouble } from "./trouble";

/** "Cancel" alone could mean the form as well, and a deed is not called like what it leaves behind. */
const TITLES: Record<string, Key> = { acknowledge: "acknowledge", cancel: "cancel_ticket" };

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
    if (chosen.needs) ask(chosen);
    else send({ event: chosen.event, version: ticket.version });
  };
  const allowed = ticket.allowed_actions;
  const title_of = (one: AllowedAction) => {
    const own = TITLES[one.event];
    return own ? say(own) : pick(one.title);
  };
  return (
    <section className="actions" aria-label={say("actions")}>
      {allowed.length === 0 && <p className="muted">{say("no_actions")}</p>}
      <Space wrap>
        {allowed.map((one, index) => (
          <Button
            key={one.event}
            type={index === 0 ? "primary" : "default"}
            danger={one.event === "cancel"}
            loading={action.isPending && action.variables.event === one.event}
            disabled={asking?.event === one.event}
            onClick={() => start(one)}
          >
            {title_of(one)}
          </Button>
        ))}
      </Space>
      {asking && (
        <Asking
          key={asking.event}
          needs={asking.needs === "outcome" ? "outcome" : "reason"}
          title={title_of(asking)}
          danger={asking.event === "cancel"}
          outcomes={ticket.outcomes}
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
  needs: "outcome" | "reason";
  title: string;
  danger: boolean;
  outcomes: Ticket["outcomes"];
  busy: boolean;
  cancel: () => void;
  send: (facts: Partial<Deed>) => void;
};

function Asking({ needs, title, danger, outcomes, busy, cancel, send }: AskingProps) {
  const { say, pick } = useWords();
  const missing = say(needs === "reason" ? "reason_missing" : "outcome_missing");
  return (
    <Form layout="vertical" requiredMark={false} className="asking" onFinish={send}>
      <Form.Item
        name={needs}
        label={say(needs)}
        rules={[{ required: true, whitespace: true, message: missing }]}
      >
        {needs === "outcome" ? (
          <Select
            autoFocus
            options={outcomes.map(({ code, title }) => ({ value: code, label: pick(title) }))}
          />
        ) : (
          <Input.TextArea autoFocus rows={2} maxLength={500} />
        )}
      </Form.Item>
      <Space>
        <Button type="primary" danger={danger} htmlType="submit" loading={busy}>
          {title}
        </Button>
        <Button onClick={cancel}>{say("back")}</Button>
      </Space>
    </Form>
  );
}
