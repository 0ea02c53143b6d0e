/** What a rule saw: read from the evidence an alarm carries, for a chart and a short list. */
import type { Key } from "./words";

export type Line = { value: number; kind: "warn" | "fail" | "mark"; key: Key };
export type Fact = { key: Key; value: number; shown: "value" | "time" | "span" | "bare" };
export type Evidence = {
  at: number[];
  value: number[];
  lines: Line[];
  facts: Fact[];
  slope_per_day: number | null;
  level: number | null;
  historical: boolean;
  late: boolean;
  /** The kind of rule: limit, trend, ewma. */
  rule: string;
};

const LINES: [group: string, name: string, kind: Line["kind"], key: Key][] = [
  ["parameters", "raise", "fail", "fact_raise"],
  ["parameters", "clear", "warn", "fact_clear"],
  ["parameters", "reach", "fail", "fact_reach"],
  ["statistics", "baseline", "mark", "fact_baseline"],
];
const FACTS: [group: string, name: string, shown: Fact["shown"], key: Key][] = [
  ["parameters", "raise", "value", "fact_raise"],
  ["parameters", "clear", "value", "fact_clear"],
  ["parameters", "reach", "value", "fact_reach"],
  ["parameters", "for", "span", "fact_for"],
  ["statistics", "level", "value", "fact_level"],
  ["statistics", "slope_per_day", "value", "fact_slope_per_day"],
  ["statistics", "crosses_at_ms", "time", "fact_crosses_at_ms"],
  ["statistics", "crosses_low_ms", "time", "fact_crosses_low_ms"],
  ["statistics", "crosses_high_ms", "time", "fact_crosses_high_ms"],
  ["statistics", "baseline", "value", "fact_baseline"],
  ["statistics", "mean", "value", "fact_mean"],
  ["statistics", "sigma", "value", "fact_sigma"],
  ["statistics", "sigmas", "bare", "fact_sigmas"],
];

/** Returns what can be drawn and listed of `evidence`; what a later rule adds is left out. */
export function read_evidence(evidence: Record<string, unknown>): Evidence {
  const points = window_points(evidence.window);
  return {
    at: points.map(([at]) => at),
    value: points.map(([, value]) => value),
    lines: LINES.flatMap(([group, name, kind, key]) => {
      const value = figure(evidence, group, name);
      return value === null ? [] : [{ value, kind, key }];
    }),
    facts: FACTS.flatMap(([group, name, shown, key]) => {
      const value = figure(evidence, group, name);
      return value === null || (shown === "span" && value === 0) ? [] : [{ key, value, shown }];
    }),
    slope_per_day: figure(evidence, "statistics", "slope_per_day"),
    level: figure(evidence, "statistics", "level"),
    historical: evidence.historical === true,
    late: evidence.late === true,
    rule: typeof evidence.rule === "string" ? (evidence.rule.split("/")[0] ?? "") : "",
  };
}

function window_points(window: unknown): [number, number][] {
  if (!Array.isArray(window)) return [];
  return window.filter(
    (p): p is [number, number] => Array.isArray(p) && typeof p[0] === "number" && typeof p[1] === "number",
  );
}

function figure(evidence: Record<string, unknown>, group: string, name: string): number | null {
  const figures = evidence[group];
  if (typeof figures !== "object" || figures === null) return null;
  const value = (figures as Record<string, unknown>)[name];
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}
