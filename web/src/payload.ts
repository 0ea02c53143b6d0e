/** A payload made readable, cut into pieces: those that a reason speaks of are marked. */

export type Piece = { text: string; wrong: boolean };

/** Returns `payload` with line breaks and indents if it is JSON, as it came otherwise. */
export function pretty(payload: string): string {
  try {
    return JSON.stringify(JSON.parse(payload), null, 2);
  } catch {
    return payload;
  }
}

/** Returns the pieces of `text`; marked are the lines of JSON whose key, or whose name, is in `wrong`. */
export function pieces(text: string, wrong: readonly string[]): Piece[] {
  const lines = text.split("\n");
  return lines.map((line, place) => ({
    text: place === lines.length - 1 ? line : `${line}\n`,
    wrong: wrong.some((name) => line.includes(`${JSON.stringify(name)}:`) || line.includes(`"n": ${JSON.stringify(name)}`)),
  }));
}
