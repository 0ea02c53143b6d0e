import { describe, expect, test } from "vitest";
import { next_due, next_steps } from "../next_steps";
import { countdown } from "../time";
import { minutes, NOW, overview, plan, promise, ticket, visit } from "./given";

const left = (ms: number) => countdown(ms, "en");
const steps = (
  ...given: [
    Parameters<typeof next_steps>[0],
    Parameters<typeof next_steps>[1],
    Parameters<typeof next_steps>[2],
  ]
) => next_steps(...given, NOW, left);

describe("what to do next", () => {
  test("is nothing when all is well", () => {
    expect(steps(overview(), [ticket("T-1")], plan())).toEqual([]);
    expect(next_due([ticket("T-1")])?.id).toBe("T-1");
  });

  test("starts with the ticket that is longest overdue", () => {
    const late = (n: string, by: number) => ticket(n, { promises: [promise({ due: minutes(-by) })] });
    const [first] = steps(undefined, [late("T-1", 5), late("T-2", 50)], undefined);
    expect(first).toMatchObject({
      key: "step_overdue",
      facts: { n: 2, ticket: "T-2" },
      to: { ticket: "T-2" },
    });
  });

  test("names the visit nobody can take, and the deadline that comes near", () => {
    const why = { zh: "无证书", en: "no certificate" };
    const unserved = [{ ticket: "T-7", number: "T-7", title: why, why }];
    const near = ticket("T-1", { promises: [promise({ start: minutes(-100), due: minutes(20) })] });
    const found = steps(undefined, [near], plan({ unserved }));
    expect(found.map((s) => s.key)).toEqual(["step_unserved_one", "step_soon"]);
    expect(found[1]!.facts).toEqual({ ticket: "T-1", left: "20:00" });
  });

  test("names the visit that comes too late, while it can still be helped", () => {
    const coming = (n: string, state: string, late_s: number) =>
      ticket(n, { promises: [], visit: visit({ state, late_s }) });
    const tickets = [coming("T-1", "accepted", 600), coming("T-2", "offered", 1800), coming("T-3", "on_site", 9999)];
    const found = steps(undefined, tickets, undefined);
    expect(found.map((s) => [s.key, s.facts])).toEqual([["step_late", { ticket: "T-2", t: "30:00" }]]);
  });

  test("never asks for more than four things", () => {
    const late = ticket("T-1", { promises: [promise({ due: minutes(-1) })] });
    const counts = overview({ states: { FAILURE: 2 }, silent: 1, quarantined: 9 });
    expect(steps(counts, [late], plan({ status: "failed" })).map((s) => s.id)).toEqual([
      "overdue",
      "plan",
      "failing",
      "silent",
    ]);
  });
});
