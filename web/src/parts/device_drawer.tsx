/** One device: how each component is, what its telemetry says, which faults are open. */
import { Alert, Segmented, Skeleton } from "antd";
import { lazy, Suspense, useState } from "react";
import { useNow } from "../clock";
import { useOpened } from "../opened";
import { useClock, useDevice, useSeries } from "../queries";
import { useWords } from "../settings";
import { state_of, STATES, type Device, type Fault, type Metric, type Series } from "../shapes";
import { moment } from "../time";
import { with_gaps } from "../series";
import { quantity } from "../units";
import type { ChartLine } from "./chart";
import { LastSeen } from "./devices";
import { Inject } from "./inject";
import { Sheet } from "./sheet";
import { StateMark, StateTag } from "./states";
import { Trouble } from "./trouble";

const Chart = lazy(() => import("./chart"));
const HOUR_MS = 3_600_000;
const SPANS = {
  last_24_h: 24 * HOUR_MS,
  last_7_d: 7 * 24 * HOUR_MS,
};

export default function DeviceDrawer({ id }: { id: string }) {
  const { pick } = useWords();
  const device = useDevice(id);
  return (
    <Sheet name={id} words={pick(device.data?.model_title)} query={device}>
      {(data) => <Body device={data} />}
    </Sheet>
  );
}

function Body({ device }: { device: Device }) {
  const { say, pick } = useWords();
  const demo = useClock().data?.demo ?? false;
  const faults = device.faults.filter((fault) => fault.closed_at === null && fault.component !== "clock");
  return (
    <>
      <div className="facts-line">
        <StateTag state={device.state} />
        <span>
          {say("score")} <b>{Math.round(device.score)}</b>
        </span>
        <span>{pick(device.site_title)}</span>
        <span className="muted">
          {say("serial")} <code>{device.serial}</code>
        </span>
        <LastSeen device={device} />
      </div>
      {device.clock && <Alert type="warning" showIcon title={pick(device.clock.says)} />}
      {demo && <Inject device={device} />}
      <section className="part">
        <h3>{say("faults")}</h3>
        {faults.length === 0 && <p className="muted">{say("no_faults")}</p>}
        {faults.map((fault) => (
          <FaultCard key={fault.id} fault={fault} />
        ))}
      </section>
      <Signals device={device} />
    </>
  );
}

function FaultCard({ fault }: { fault: Fault }) {
  const { say, pick, language } = useWords();
  const { open_ticket } = useOpened();
  const now = useNow();
  return (
    <article className="alarm">
      <p className="says">{pick(fault.says)}</p>
      <p className="facts-line muted">
        <span>{moment(fault.opened_at, now, language)}</span>
        {fault.react_by && Date.parse(fault.react_by) > now && (
          <span className="over">{say("act_before", { at: moment(fault.react_by, now, language) })}</span>
        )}
        {fault.ticket && (
          <button type="button" className="link" onClick={() => open_ticket(fault.ticket!)}>
            {fault.ticket}
          </button>
        )}
      </p>
    </article>
  );
}

/** Returns the components, worst first, in their own order otherwise. */
function worst_first(components: Device["components"]): Device["components"] {
  const rank = (state: string) => STATES.indexOf(state_of(state));
  return [...components].sort((a, b) => rank(a.state) - rank(b.state));
}

function Signals({ device }: { device: Device }) {
  const { say, pick } = useWords();
  const components = worst_first(device.components);
  const worst = components.find((component) => component.code === device.component) ?? components[0];
  const [chosen, choose] = useState(worst?.code ?? "");
  const [range, set_range] = useState<keyof typeof SPANS>("last_24_h");
  const metrics = device.metrics.filter((metric) => metric.component === chosen);
  const ranges = (Object.keys(SPANS) as (keyof typeof SPANS)[]).map((value) => ({
    value,
    label: say(value),
  }));
  return (
    <section className="part">
      <h3>{say("components")}</h3>
      <div className="components">
        {components.map((component) => (
          <button
            key={component.code}
            type="button"
            aria-pressed={component.code === chosen}
            onClick={() => choose(component.code)}
          >
            <StateMark state={component.state} />
            {pick(component.title)}
            {state_of(component.state) !== "NORMAL" && <em>{say(state_of(component.state))}</em>}
          </button>
        ))}
      </div>
      <div className="signals-head">
        <h3>{say("signals")}</h3>
        <Segmented value={range} onChange={set_range} options={ranges} aria-label={say("range")} />
      </div>
      {metrics.length === 0 && <p className="muted">{say("no_metrics")}</p>}
      <Charts id={device.id} metrics={metrics} span_ms={SPANS[range]} />
    </section>
  );
}

function Charts({ id, metrics, span_ms }: { id: string; metrics: Metric[]; span_ms: number }) {
  const names = metrics.map((metric) => metric.name);
  const series = useSeries(id, names, span_ms);
  if (series.isError && !series.data) return <Trouble error={series.error} retry={() => void series.refetch()} />;
  const of = (metric: Metric) => series.data?.series.find((one) => one.name === metric.name);
  const drawn = (metric: Metric) => Number((of(metric)?.at.length ?? 0) > 1);
  return [...metrics]
    .sort((a, b) => drawn(b) - drawn(a)) // what has a line first; many are measured once a day
    .map((metric) => (
      <MetricChart key={metric.name} metric={metric} series={of(metric)} waiting={series.isPending} />
    ));
}

type ChartProps = { metric: Metric; series: Series | undefined; waiting: boolean };

function MetricChart({ metric, series, waiting }: ChartProps) {
  const { say, pick } = useWords();
  const lines = limits(metric, say("limit_warn"), say("limit_fail"));
  const points = series?.at.length ?? 0;
  return (
    <article className="metric">
      <h4>
        <span>{pick(metric.title)}</span> <b>{quantity(metric.value, metric.unit)}</b>
      </h4>
      {waiting && <Skeleton.Node active className="chart-waiting" />}
      {series && points > 1 && (
        <Suspense fallback={<Skeleton.Node active className="chart-waiting" />}>
          <Chart title={pick(metric.title)} unit={metric.unit} {...with_gaps(series)} lines={lines} />
        </Suspense>
      )}
      {!waiting && points < 2 && <p className="muted">{say(points ? "one_point" : "no_points")}</p>}
    </article>
  );
}

function limits(metric: Metric, warn: string, fail: string): ChartLine[] {
  const line = (kind: ChartLine["kind"], label: string) => (value: number | null | undefined) =>
    typeof value === "number" ? [{ value, kind, label: `${label} ${quantity(value, metric.unit)}` }] : [];
  return [...metric.warn.flatMap(line("warn", warn)), ...metric.fail.flatMap(line("fail", fail))];
}
