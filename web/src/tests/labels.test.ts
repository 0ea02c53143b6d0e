import { expect, test } from "vitest";
import { box_of, place_labels, text_width, type Label } from "../parts/labels";

const FRAME = { width: 200, height: 100 };
const label = (x: number, y: number): Label => {
  return { x, y, width: 60, height: 16, gap: 10, sides: ["right", "left", "bottom"] };
};

test("a name stands on the side asked first", () => {
  expect(place_labels([label(50, 50)], [], FRAME)).toEqual(["right"]);
});

test("a name near the edge turns to the other side", () => {
  expect(place_labels([label(190, 50)], [], FRAME)).toEqual(["left"]);
});

test("a name gives way to one before it", () => {
  expect(place_labels([label(50, 50), label(60, 50)], [], FRAME)).toEqual(["right", "bottom"]);
});

test("a name without room is not shown", () => {
  const everything = [{ left: 0, top: 0, right: 200, bottom: 100 }];
  expect(place_labels([label(50, 50)], everything, FRAME)).toEqual([null]);
});

test("shown names never meet", () => {
  const labels = Array.from({ length: 40 }, (_, k) => label((k * 37) % 200, (k * 53) % 100));
  const sides = place_labels(labels, [], FRAME);
  const boxes = sides.flatMap((side, k) => (side ? [box_of(labels[k]!, side)] : []));
  const meeting = boxes.flatMap((a, i) =>
    boxes
      .slice(i + 1)
      .filter((b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom),
  );
  expect(boxes.length).toBeGreaterThan(1);
  expect(meeting).toEqual([]);
});

test("Chinese characters are wider than Latin ones", () => {
  expect(text_width("工程师")).toBeGreaterThan(text_width("abc"));
});
