/** One colour per technician, told apart by most eyes, on light and on dark ground. */
const COLOURS = ["#0b7a7c", "#c23a4d", "#6a5acd", "#946400", "#2470ad", "#3f7a22", "#9a3a95", "#9c5516"];

/** Returns a colour for each of `ids`: the same one tomorrow, no two alike up to eight. */
export function colours_of(ids: string[]): Map<string, string> {
  const given = new Map<string, string>();
  for (const id of [...ids].sort()) {
    const used = new Set(given.values());
    const free = COLOURS.length > used.size;
    let n = preferred(id);
    while (free && used.has(COLOURS[n]!)) n = (n + 1) % COLOURS.length;
    given.set(id, COLOURS[n]!);
  }
  return given;
}

function preferred(id: string): number {
  return [...id].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % COLOURS.length, 0);
}
