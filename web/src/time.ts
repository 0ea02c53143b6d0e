/** Instants and spans as people read them: in the sites' zone, never with more digits than used. */
import { sentence, type Language } from "./words";

export const ZONE = "Asia/Shanghai";

const LOCALE: Record<Language, string> = { zh: "zh-CN", en: "en-GB" };
const DAY_MS = 86_400_000;
const formats = new Map<string, Intl.DateTimeFormat>();

function format(language: Language, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = language + JSON.stringify(options);
  const known = formats.get(key) ?? new Intl.DateTimeFormat(LOCALE[language], { timeZone: ZONE, ...options });
  formats.set(key, known);
  return known;
}

/** Returns hours and minutes. */
export function hour(at: string | number, language: Language): string {
  return format(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(new Date(at));
}

/** Returns hours, minutes and seconds. */
export function second(at: string | number, language: Language): string {
  const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" } as const;
  return format(language, options).format(new Date(at));
}

/** Returns the day without the year. */
export function day(at: string | number, language: Language): string {
  return format(language, { month: "short", day: "numeric" }).format(new Date(at));
}

/** Returns the day with its year; `day` is a calendar day, not an instant. */
export function date(day: string, language: Language): string {
  const options = { year: "numeric", month: "short", day: "numeric", timeZone: "UTC" } as const;
  return format(language, options).format(new Date(day));
}

/** Returns the hour if `at` is on the day of `now_ms`, else the day and the hour. */
export function moment(at: string | number, now_ms: number, language: Language): string {
  const near = Math.abs(new Date(at).getTime() - now_ms) < 2 * DAY_MS;
  const same = near && day(at, language) === day(now_ms, language);
  return same ? hour(at, language) : `${day(at, language)} ${hour(at, language)}`;
}

/** Returns a running countdown: 07:05 under an hour, 1:07 above, 2 d 03:10 above two days. */
export function countdown(span_ms: number, language: Language): string {
  const s = Math.floor(Math.abs(span_ms) / 1000);
  const [hours, minutes] = [Math.floor(s / 3600), Math.floor((s % 3600) / 60)];
  if (hours >= 48) {
    const days = sentence(language, "d", { n: Math.floor(hours / 24) });
    return `${days} ${two(hours % 24)}:${two(minutes)}`;
  }
  return hours ? `${hours}:${two(minutes)}` : `${two(minutes)}:${two(s % 60)}`;
}

/** Returns a span in its largest whole unit: 40 s, 12 min, 3 h, 2 d. */
export function span(span_ms: number, language: Language): string {
  const s = Math.max(0, Math.round(span_ms / 1000));
  if (s < 60) return sentence(language, "s", { n: s });
  if (s < 5400) return sentence(language, "min", { n: Math.round(s / 60) });
  if (s < 172_800) return sentence(language, "h", { n: Math.round(s / 3600) });
  return sentence(language, "d", { n: Math.round(s / 86_400) });
}

/** Returns how long ago `at` was, "now" under five seconds. */
export function age(at: string, now_ms: number, language: Language): string {
  const past = now_ms - Date.parse(at);
  if (past < 5000) return sentence(language, "now");
  return sentence(language, "ago", { t: span(past, language) });
}

function two(n: number): string {
  return String(n).padStart(2, "0");
}
