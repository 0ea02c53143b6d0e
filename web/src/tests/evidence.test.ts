import { expect, test } from "vitest";
import { read_evidence } from "../evidence";
import { stale_keys } from "../live";
import { grid_lines, grid_step } from "../parts/grid";
import { told_of } from "../parts/trouble";
import { problem_of } from "../client";
import { with_gaps } from "../series";
import { figures, quantity, unit_text } from "../units";
import { y_range } from "../y_range";

test("the evidence of a trend has its points, its threshold and when it is met", () => {
  const seen = read_evidence({
    parameters: { reach: -62, healthy: -70, for: 0 },
    statistics: { level: -63, slope_per_day: 1.5, crosses_at_ms: 99, crosses_high_ms: null },
    window: [[1, -70], [2, -69], ["?", 3], null],
  });
  expect(seen.at).toEqual([1, 2]);
  expect(seen.lines).toEqual([{ value: -62, kind: "fail", key: "fact_reach" }]);
  expect(seen.facts.map((fact) => fact.key)).toEqual([
    "fact_reach",
    "fact_level",
    "fact_slope_per_day",
    "fact_crosses_at_ms",
  ]);
});

test("evidence of an unknown kind draws nothing and breaks nothing", () => {
  expect(read_evidence({ parameters: 7, window: "none" })).toMatchObject({ at: [], lines: [], facts: [] });
});

test.each([
  [36.999999, "Cel", "37\u00a0°C"],
  [16.04, "MOhm.cm", "16.04\u00a0MΩ·cm"],
  [0.05, "1", "0.05"],
  [4.06, "%", "4.06%"],
  [3, "{count}", "3"],
  [50_000, "{RLU}", "50\u202f000\u00a0RLU"],
  [58.2, "mV/{decade}", "58.2\u00a0mV/decade"],
  [null, "kPa", "–"],
])("%s %s is printed as %s", (value, unit, text) => {
  expect(quantity(value, unit)).toBe(text);
});

test("figures and units stay short", () => {
  expect([figures(1.23456), figures(-62), unit_text("10*9/L")]).toEqual(["1.235", "\u221262", "×10⁹/L"]);
});

test("a far limit does not squash a chart, a near one is shown", () => {
  expect(y_range([10, 12], [100])[1]).toBeLessThan(13);
  expect(y_range([10, 12], [15])[1]).toBeGreaterThan(15);
  expect(y_range([null], [])).toEqual([0, 1]);
});

test("the map has at least three lines each way", () => {
  expect(grid_step(0.9)).toBe(0.2);
  expect(grid_lines(121.05, 121.65, 0.2)).toEqual([121.2, 121.4, 121.6]);
  expect(grid_lines(-0.3, 0.1, 0.2)).toEqual([-0.2, 0]);
});

test("an event makes stale what it may have changed, an unknown one everything", () => {
  expect(stale_keys("ticket.opened")).toContain("tickets");
  expect(stale_keys("plan.published")).not.toContain("quarantine");
  expect(stale_keys("weather.changed")).toContain("quarantine");
});

test("a hole in the readings is a hole in the line", () => {
  const values = [1, 2, 3, 4, 5];
  const holed = with_gaps({ at: [0, 10, 20, 80, 90], low: values, high: values, mean: values });
  expect(holed.at).toEqual([0, 10, 20, 30, 80, 90]);
  expect(holed.mean).toEqual([1, 2, 3, null, 4, 5]);
});

test("every error says what to do", () => {
  expect(problem_of("<html>", 502)).toEqual({ title: "", status: 502, detail: null, errors: null });
  expect([told_of(502).deed, told_of(418).deed, told_of(0).deed]).toEqual(["do_500", "do_422", "do_network"]);
});
