import { describe, expect, test } from "vitest";
import { by_urgency, due_ms, read } from "../promise";
import { minutes, NOW, promise, ticket } from "./given";

const MINUTE = 60_000;

describe("a promise's clock", () => {
  test.each([
    ["is calm before half of the time", -59, 61, "calm"],
    ["warns from half of the time", -60, 60, "warn"],
    ["is urgent from three quarters", -90, 30, "urgent"],
    ["is overdue after its due time, whatever the server said last", -121, -1, "over"],
  ])("%s", (_says, start, due, tone) => {
    expect(read(promise({ start: minutes(start), due: minutes(due) }), NOW).tone).toBe(tone);
  });

  test("counts on below zero when it is overdue", () => {
    expect(read(promise({ state: "overdue", due: minutes(-15) }), NOW).left_ms).toBe(-15 * MINUTE);
  });

  test("never shows time left when the server says overdue", () => {
    expect(read(promise({ state: "overdue", due: minutes(1) }), NOW)).toMatchObject({
      tone: "over",
      left_ms: 0,
    });
  });

  test.each([
    ["met", "done"],
    ["waived", "done"],
    ["missed", "over"],
    ["held", "still"],
    ["idle", "still"],
  ])("stands still when it is %s", (state, tone) => {
    expect(read(promise({ state }), NOW)).toMatchObject({ tone, left_ms: null });
  });
});

describe("the order of tickets", () => {
  test("puts what is due first at the top, and what has no running promise last", () => {
    const late = ticket("T-3", { promises: [promise({ due: minutes(-5) })] });
    const soon = ticket("T-2", { promises: [promise({ due: minutes(9) }), promise({ due: minutes(700) })] });
    const done = ticket("T-1", { promises: [promise({ state: "met" })] });
    expect(by_urgency([done, soon, late]).map((t) => t.id)).toEqual(["T-3", "T-2", "T-1"]);
    expect(due_ms(done)).toBe(Infinity);
  });

  test("falls back on severity, then on the number", () => {
    const tickets = [ticket("T-2"), ticket("T-1"), ticket("T-3", { severity: 1 })];
    expect(by_urgency(tickets).map((t) => t.id)).toEqual(["T-3", "T-1", "T-2"]);
  });
});
