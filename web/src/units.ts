/** UCUM codes and values as they are printed on a device. */

const PRINTED: Record<string, string> = {
  "1": "",
  Cel: "°C",
  "MOhm.cm": "MΩ·cm",
  uL: "µL",
  "10*9/L": "×10⁹/L",
  "10*12/L": "×10¹²/L",
};

/** Returns how `code` is printed; annotations lose their braces, plain counts have no unit. */
export function unit_text(code: string): string {
  if (code in PRINTED) return PRINTED[code]!;
  return code.replace(/\{(count|test|step)\}/g, "").replace(/[{}]/g, "");
}

/** Returns `value` with four significant digits at most and its unit; a percent sign stands close. */
export function quantity(value: number | null | undefined, code: string): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const unit = unit_text(code);
  if (unit === "%") return `${figures(value)}%`;
  return unit ? `${figures(value)}\u00a0${unit}` : figures(value);
}

/** Returns `value` with four significant digits at most; whole numbers stay whole. */
export function figures(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e9)
    return minus(value.toLocaleString("en-US").replaceAll(",", "\u202f"));
  return minus(String(Number(value.toPrecision(4))));
}

/** A minus sign is as wide as a plus sign; a hyphen is not. */
function minus(text: string): string {
  return text.replace("-", "\u2212");
}
