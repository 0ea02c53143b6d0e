/** The alarms behind a ticket: the one that says what is wrong in full, the others on request. */
import { Skeleton } from "antd";
import { lazy, Suspense, useMemo } from "react";
import { useNow } from "../clock";
import { read_evidence, type Evidence } from "../evidence";
import { useDevice } from "../queries";
import { useWords } from "../settings";
import type { Alarm, Metric } from "../shapes";
import { moment, span } from "../time";
import { figures, quantity } from "../units";
import { counted, type Key } from "../words";
import type { ChartLine } from "./chart";

const Chart = lazy(() => import("./chart"));
const RULES: Record<string, Key> = { limit: "rule_limit", trend: "rule_trend", ewma: "rule_ewma" };
const DAY_MS = 86_400_000;

type Props = { alarms: Alarm[]; device: string | null; says: string };

export function Alarms({ alarms, device, says }: Props) {
  const { say, pick } = useWords();
  const in_order = [...alarms].sort((a, b) => a.raised_at.localeCompare(b.raised_at));
  const main = in_order.find((alarm) => pick(alarm.says) === says) ?? in_order[0];
  const others = in_order.filter((alarm) => alarm !== main);
  return (
    <>
      {main && <AlarmCard alarm={main} device={device} />}
      {others.length > 0 && (
        <details className="others">
          <summary>{say(counted(others.length, "more_alarms_one", "more_alarms"), { n: others.length })}</summary>
          {others.map((alarm) => (
            <AlarmCard key={alarm.id} alarm={alarm} device={device} />
          ))}
        </details>
      )}
    </>
  );
}

function AlarmCard({ alarm, device }: { alarm: Alarm; device: string | null }) {
  const { say, pick, language } = useWords();
  const now = useNow();
  const seen = useMemo(() => read_evidence(alarm.evidence), [alarm.evidence]);
  return (
    <article className="alarm">
      <p className="alarm-says">
        <span className={`dot ${alarm.severity}`} aria-hidden />
        <span className="sentence">{pick(alarm.says)}</span>
      </p>
      <p className="muted facts-line">
        <span>{moment(alarm.raised_at, now, language)}</span>
        <span>
          {alarm.cleared_at ? say("cleared", { at: moment(alarm.cleared_at, now, language) }) : say("active")}
        </span>
        <span title={alarm.rule}>
          {say("rule")} {say(RULES[seen.rule] ?? "rule_other")}
        </span>
        {seen.historical && <span className="chip">{say("historical")}</span>}
        {seen.late && <span className="chip">{say("sent_later")}</span>}
      </p>
      {seen.at.length > 1 && <Seen seen={seen} alarm={alarm} device={device} />}
    </article>
  );
}

function Seen({ seen, alarm, device }: { seen: Evidence; alarm: Alarm; device: string | null }) {
  const { say, pick } = useWords();
  const metric = useMetric(device, alarm.metric);
  const unit = metric?.unit ?? "1";
  const lines = seen.lines.map((line): ChartLine => {
    return { value: line.value, kind: line.kind, label: `${say(line.key)} ${quantity(line.value, unit)}` };
  });
  return (
    <>
      <Suspense fallback={<Skeleton.Node active className="chart-waiting" />}>
        <Chart
          title={pick(metric?.title) || alarm.metric}
          unit={unit}
          at={seen.at}
          mean={seen.value}
          trend={trend(seen)}
          lines={lines}
          all_limits
          height={190}
        />
      </Suspense>
      <p className="muted">{say("evidence_window", { n: seen.at.length })}</p>
      <Facts seen={seen} unit={unit} />
    </>
  );
}

function useMetric(device: string | null, name: string): Metric | undefined {
  return useDevice(device ?? "", device !== null).data?.metrics.find((metric) => metric.name === name);
}

/** The straight line of a trend rule, through its level at the last point. */
function trend(seen: Evidence): number[] | undefined {
  const { level, slope_per_day, at } = seen;
  const last = at.at(-1);
  if (level === null || slope_per_day === null || last === undefined) return undefined;
  return at.map((ms) => level + (slope_per_day * (ms - last)) / DAY_MS);
}

function Facts({ seen, unit }: { seen: Evidence; unit: string }) {
  const { say, language } = useWords();
  const now = useNow();
  const text = {
    value: (v: number) => quantity(v, unit),
    bare: figures,
    span: (v: number) => span(v, language),
    time: (v: number) => moment(v, now, language),
  };
  return (
    <dl className="facts">
      {seen.facts.map((fact) => (
        <div key={fact.key}>
          <dt>{say(fact.key)}</dt>
          <dd>{text[fact.shown](fact.value)}</dd>
        </div>
      ))}
    </dl>
  );
}
