/** How high a chart is: all values, and the limits that are near enough not to squash them. */

const NEAR = 3;

/** Returns [low, high] with a margin; a limit counts when it is within three spans of the values. */
export function y_range(values: (number | null)[], limits: number[]): [number, number] {
  const known = values.filter((v): v is number => v !== null && Number.isFinite(v));
  if (known.length === 0) return limits.length ? padded(Math.min(...limits), Math.max(...limits)) : [0, 1];
  const low = known.reduce((a, b) => Math.min(a, b));
  const high = known.reduce((a, b) => Math.max(a, b));
  const reach = NEAR * Math.max(high - low, Math.abs(high) * 1e-3, 1e-9);
  const near = limits.filter((limit) => limit >= low - reach && limit <= high + reach);
  return padded(Math.min(low, ...near), Math.max(high, ...near));
}

function padded(low: number, high: number): [number, number] {
  const margin = (high - low || Math.abs(high) || 1) * 0.08;
  return [low - margin, high + margin];
}
