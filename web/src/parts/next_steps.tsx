/** The strip that answers "what should I do next". */
import ArrowRightOutlined from "@ant-design/icons/ArrowRightOutlined";
import { Skeleton } from "antd";
import { useNavigate } from "react-router";
import { useNow } from "../clock";
import { next_due, next_steps, type Step } from "../next_steps";
import { useOpened } from "../opened";
import { due_ms } from "../promise";
import { useOverview, usePlan, useTickets } from "../queries";
import { useWords } from "../settings";
import { countdown, span } from "../time";
import { counted } from "../words";

type Props = { choose_state: (state: string) => void; show: (part: "plan" | "devices") => void };

export function NextSteps({ choose_state, show }: Props) {
  const { say, language } = useWords();
  const now = useNow();
  const overview = useOverview();
  const tickets = useTickets("open");
  const plan = usePlan();
  const follow = useFollow(choose_state, show);
  if (tickets.isPending) return <Skeleton active className="next" title={false} paragraph={{ rows: 1 }} />;
  const open = tickets.data?.pages.flatMap((page) => page.items) ?? [];
  const left = (span_ms: number) => countdown(span_ms, language);
  const lasts = (span_ms: number) => span(span_ms, language);
  const steps = next_steps(overview.data, open, plan.data, now, left, lasts);
  const first = next_due(open);
  return (
    <section className="next" aria-label={say("do_next")}>
      <h2>{say("do_next")}</h2>
      {steps.map((step) => (
        <button key={step.id} type="button" className={`step ${step.tone}`} onClick={() => follow(step)}>
          <span>{say(step.key, step.facts)}</span>
          <ArrowRightOutlined aria-hidden />
        </button>
      ))}
      {steps.length === 0 && (
        <p className="calm">
          {open.length > 0 ? say(counted(open.length, "calm_one", "calm"), { n: open.length }) : say("all_calm")}{" "}
          {first &&
            say("next_due", { ticket: first.number, left: say("left", { t: left(due_ms(first) - now) }) })}
        </p>
      )}
    </section>
  );
}

function useFollow(choose_state: Props["choose_state"], show: Props["show"]) {
  const { open_ticket } = useOpened();
  const navigate = useNavigate();
  return ({ to }: Step) => {
    if ("ticket" in to) return open_ticket(to.ticket);
    if ("state" in to) return choose_state(to.state);
    if (!to.page.startsWith("#")) return void navigate(to.page);
    const part = to.page === "#plan" ? "plan" : "devices";
    show(part);
    document.getElementById(part)?.scrollIntoView({ behavior: "smooth" });
  };
}
