/** Values over time with uPlot: a line, its lowest-to-highest band, and limits across. */
import { memo, useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useSettings, useWords } from "../settings";
import { day, hour, moment, ZONE } from "../time";
import { figures, quantity } from "../units";
import { y_range } from "../y_range";

export type ChartLine = { value: number; kind: "warn" | "fail" | "mark"; label: string };
type Values = (number | null)[];
type Props = {
  title: string;
  unit: string;
  at: number[];
  mean: Values;
  low?: Values;
  high?: Values;
  /** A second line, dashed: what the rule expects. */
  trend?: Values;
  lines: ChartLine[];
  /** Draw every limit, however far. */
  all_limits?: boolean;
  height?: number;
};

const DAY_S = 86_400;

function Chart(props: Props) {
  const { say, language } = useWords();
  const { dark } = useSettings();
  const place = useRef<HTMLDivElement>(null);
  const readout = useRef<HTMLParagraphElement>(null);
  const { title, at, mean } = props;

  useEffect(() => {
    const box = place.current!;
    const colours = palette(box);
    const read = (index: number | null | undefined) => {
      if (readout.current) readout.current.textContent = told(props, index ?? at.length - 1, language);
    };
    const plot = new uPlot(options(props, colours, language, box.clientWidth, read), table(props), box);
    const resize = new ResizeObserver(() => plot.setSize({ width: box.clientWidth, height: plot.height }));
    resize.observe(box);
    return () => {
      resize.disconnect();
      plot.destroy();
    };
  }, [props, at, language, dark]);

  const label = `${say("chart_label", { title })}. ${told(props, mean.length - 1, language)}`;
  return (
    <figure className="chart">
      <div ref={place} role="img" aria-label={label} />
      <p ref={readout} className="muted readout">
        {told(props, mean.length - 1, language)}
      </p>
    </figure>
  );
}

/** The same chart is not drawn again: what is around it changes every second. */
export default memo(Chart, (a, b) => JSON.stringify(a) === JSON.stringify(b));

type Palette = Record<"line" | "band" | "ground" | "text" | "grid" | "warn" | "fail" | "mark", string>;

function palette(box: HTMLElement): Palette {
  const style = getComputedStyle(box);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  return {
    line: colour("--accent"),
    band: colour("--band"),
    ground: colour("--panel"),
    text: colour("--muted"),
    grid: colour("--line"),
    warn: colour("--warn"),
    fail: colour("--over"),
    mark: colour("--muted"),
  };
}

function table({ at, mean, low, high, trend }: Props): uPlot.AlignedData {
  const none = at.map(() => null);
  return [at.map((ms) => ms / 1000), high ?? none, low ?? none, mean, trend ?? none];
}

function options(
  props: Props,
  colours: Palette,
  language: "zh" | "en",
  width: number,
  read: (index: number | null | undefined) => void,
): uPlot.Options {
  const limits = props.lines.map((line) => line.value);
  const values = [...props.mean, ...(props.low ?? []), ...(props.high ?? [])];
  const range = y_range(props.all_limits ? [...values, ...limits] : values, limits);
  const long = (props.at.at(-1) ?? 0) - (props.at[0] ?? 0) > 2 * DAY_S * 1000;
  const axis = { stroke: colours.text, font: "11px sans-serif", ticks: { show: false } };
  const points = { show: props.at.length < 80 && !props.high, size: 4 };
  return {
    width,
    height: props.height ?? 150,
    tzDate: (s) => uPlot.tzDate(new Date(s * 1000), ZONE),
    legend: { show: false },
    padding: [8, 8, 0, 0],
    cursor: { y: false, drag: { x: false, y: false } },
    scales: { x: { time: true }, y: { range } },
    series: [
      {},
      { stroke: "transparent", points: { show: false } },
      { stroke: "transparent", points: { show: false } },
      { stroke: colours.line, width: 1.5, points },
      { stroke: colours.mark, width: 1.5, dash: [6, 4], points: { show: false } },
    ],
    bands: [{ series: [1, 2], fill: colours.band }],
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 26,
        space: 64,
        values: (_plot, splits) =>
          splits.map((s) => (long ? day(s * 1000, language) : hour(s * 1000, language))),
        ...(long ? { incrs: [DAY_S, 2 * DAY_S, 7 * DAY_S, 14 * DAY_S, 28 * DAY_S] } : {}),
      },
      {
        ...axis,
        grid: { stroke: colours.grid, width: 1 },
        size: 54,
        space: 28,
        values: (_plot, splits) => splits.map(figures),
      },
    ],
    hooks: {
      draw: [(plot) => draw_limits(plot, props.lines, colours)],
      setCursor: [(plot) => read(plot.cursor.idx)],
    },
  };
}

function draw_limits(plot: uPlot, lines: ChartLine[], colours: Palette): void {
  const { ctx, bbox } = plot;
  const ratio = window.devicePixelRatio;
  ctx.save();
  let left = bbox.left + 6 * ratio; // labels stand side by side, for limits may be close
  for (const line of lines) {
    const y = Math.round(plot.valToPos(line.value, "y", true));
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.strokeStyle = ctx.fillStyle = colours[line.kind];
    ctx.lineWidth = ratio;
    ctx.setLineDash([4 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.font = `${10 * ratio}px sans-serif`;
    ctx.textAlign = "left";
    const above = y - bbox.top > 16 * ratio;
    const place = above ? y - 4 * ratio : y + 12 * ratio;
    ctx.setLineDash([]);
    ctx.lineWidth = 3 * ratio;
    ctx.strokeStyle = colours.ground;
    ctx.strokeText(line.label, left, place);
    ctx.fillText(line.label, left, place);
    left += ctx.measureText(line.label).width + 14 * ratio;
  }
  ctx.restore();
}

function told(props: Props, index: number, language: "zh" | "en"): string {
  const at = props.at[index];
  const mean = props.mean[index];
  if (at === undefined || mean === undefined || mean === null) return "";
  const [low, high] = [props.low?.[index], props.high?.[index]];
  const range =
    typeof low === "number" && typeof high === "number" && low !== high
      ? ` (${figures(low)} … ${figures(high)})`
      : "";
  return `${moment(at, 0, language)}  ${quantity(mean, props.unit)}${range}`;
}
