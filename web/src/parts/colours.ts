/** One colour per technician, told apart by most eyes, on light and on dark ground. */
const COLOURS = ["#0f8b8d", "#d1495b", "#6a5acd", "#c98a00", "#2b7bbb", "#4d8c2b", "#a23e9d", "#b5651d"];

/** Returns the colour of the n-th route; colours repeat after eight. */
export function colour_of(index: number): string {
  return COLOURS[index % COLOURS.length]!;
}
