import { expect, test } from "vitest";
import { colours_of } from "../parts/colours";

test("up to eight technicians have colours of their own", () => {
  const ids = Array.from({ length: 8 }, (_, n) => `E${n + 1}`);
  expect(new Set(colours_of(ids).values()).size).toBe(8);
});

test("the order in which technicians come does not change their colours", () => {
  const ids = ["E01", "E09", "E05"];
  expect(colours_of(ids)).toEqual(colours_of([...ids].reverse()));
});

test("a ninth technician shares a colour rather than having none", () => {
  const ids = Array.from({ length: 9 }, (_, n) => `E${n + 1}`);
  expect(colours_of(ids).size).toBe(9);
});
