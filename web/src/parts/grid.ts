/** Where the lines of the map's grid of degrees lie. */

const STEPS = [10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01];
const FEWEST = 3;

/** Returns the widest step of degrees that gives at least three lines over `span` degrees. */
export function grid_step(span: number): number {
  return STEPS.find((step) => span / step >= FEWEST) ?? STEPS.at(-1)!;
}

/** Returns the multiples of `step` within [from, to]. */
export function grid_lines(from: number, to: number, step: number): number[] {
  const first = Math.ceil(from / step);
  const count = Math.max(0, Math.floor(to / step) - first + 1);
  return Array.from({ length: count }, (_, k) => Number(((first + k) * step).toFixed(4)));
}
