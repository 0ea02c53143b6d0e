import { expect, test } from "vitest";
import { interpolate } from "../clock";
import { age, countdown, hour, moment, span } from "../time";
import { minutes, NOW } from "./given";

test.each([
  [0, "00:00"],
  [59_999, "00:59"],
  [-425_000, "07:05"],
  [3_600_000, "1:00"],
  [5_040_000, "1:24"],
  [47 * 3_600_000, "47:00"],
  [51 * 3_600_000, "2 d 03:00"],
])("a countdown of %i ms reads %s", (ms, text) => {
  expect(countdown(ms, "en")).toBe(text);
});

test.each([
  [40_000, "40 s", "40 秒"],
  [1_320_000, "22 min", "22 分钟"],
  [3 * 3_600_000, "3 h", "3 小时"],
  [9 * 86_400_000, "9 d", "9 天"],
])("a span of %i ms reads %s", (ms, en, zh) => {
  expect([span(ms, "en"), span(ms, "zh")]).toEqual([en, zh]);
});

test("an age is a span ago, or now", () => {
  expect(age(minutes(-5), NOW, "zh")).toBe("5 分钟前");
  expect(age(minutes(0), NOW, "en")).toBe("now");
});

test("instants are shown in the zone of the sites, with the day when it is another", () => {
  expect(hour("2026-03-12T16:05:00Z", "en")).toBe("00:05");
  expect(moment("2026-03-12T02:05:00Z", NOW, "en")).toBe("10:05");
  expect(moment("2026-03-13T02:05:00Z", NOW, "en")).toBe("13 Mar 10:05");
  expect(moment("2025-03-12T02:05:00Z", NOW, "zh")).toBe("3月12日 10:05");
});

test("the clock of a demo runs as fast as the server says", () => {
  expect(interpolate({ server_ms: 1000, local_ms: 50, speed: 60 }, 60)).toBe(1600);
  expect(interpolate({ server_ms: 1000, local_ms: 50, speed: 60 }, 40)).toBe(1000);
});
