/** Which names a map can show: each beside its place, none over another. */

export type Side = "right" | "left" | "top" | "bottom";
export type Box = { left: number; top: number; right: number; bottom: number };
/** A name for the place at x, y; `gap` keeps it off the mark that is drawn there. */
export type Label = { x: number; y: number; width: number; height: number; gap: number; sides: Side[] };

const WIDE = /[\u2e80-\u9fff\uff00-\uffef]/;
const WIDE_PX = 12;
const NARROW_PX = 6.4;

/** Returns about how wide `text` is at 11.5 px, in px. */
export function text_width(text: string): number {
  return [...text].reduce((sum, letter) => sum + (WIDE.test(letter) ? WIDE_PX : NARROW_PX), 0);
}

/** Returns the box of `label` on `side`. */
export function box_of({ x, y, width, height, gap }: Label, side: Side): Box {
  const left = { right: x + gap, left: x - gap - width, top: x - width / 2, bottom: x - width / 2 }[side];
  const top = { right: y - height / 2, left: y - height / 2, top: y - gap - height, bottom: y + gap }[side];
  return { left, top, right: left + width, bottom: top + height };
}

/** Returns the side of each label, null for one that finds no room; the first have the choice.
 *
 * `taken` are boxes that no label may cover; every label stays within width x height.
 */
export function place_labels(
  labels: Label[],
  taken: Box[],
  frame: { width: number; height: number },
): (Side | null)[] {
  const used = [...taken];
  return labels.map((label) => {
    const fits = (box: Box) => inside(box, frame) && !used.some((other) => meet(box, other));
    const side = label.sides.find((one) => fits(box_of(label, one))) ?? null;
    if (side) used.push(box_of(label, side));
    return side;
  });
}

function inside(box: Box, frame: { width: number; height: number }): boolean {
  return box.left >= 0 && box.top >= 0 && box.right <= frame.width && box.bottom <= frame.height;
}

function meet(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
