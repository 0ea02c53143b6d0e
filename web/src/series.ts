/** Readings over time, as a chart wants them. */

type Buckets = { at: number[]; low: (number | null)[]; high: (number | null)[]; mean: (number | null)[] };

const HOLE = 3;

/** Returns `series` with an empty bucket after each one that is followed by a hole.
 *
 * A hole is longer than three times the usual distance; no line is drawn across it.
 */
export function with_gaps(series: Buckets): Buckets {
  const { at } = series;
  const steps = at.slice(1).map((ms, k) => ms - at[k]!);
  const usual = [...steps].sort((a, b) => a - b)[steps.length >> 1] ?? 0;
  const made: Buckets = { at: [], low: [], high: [], mean: [] };
  at.forEach((ms, k) => {
    push(made, ms, series.low[k], series.high[k], series.mean[k]);
    if ((steps[k] ?? 0) > HOLE * usual) push(made, ms + usual, null, null, null);
  });
  return made;
}

type Value = number | null | undefined;

function push(made: Buckets, ms: number, low: Value, high: Value, mean: Value): void {
  made.at.push(ms);
  made.low.push(low ?? null);
  made.high.push(high ?? null);
  made.mean.push(mean ?? null);
}
