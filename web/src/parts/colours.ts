/** One colour per technician, told apart by most eyes, on light and on dark ground. */
const COLOURS = ["#0b7a7c", "#c23a4d", "#6a5acd", "#946400", "#2470ad", "#3f7a22", "#9a3a95", "#9c5516"];

/** Returns the colour of the n-th route; colours repeat after eight. */
export function colour_of(index: number): string {
  return COLOURS[index % COLOURS.length]!;
}
