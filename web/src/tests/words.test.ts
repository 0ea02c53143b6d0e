import { expect, test } from "vitest";
import { first_language } from "../settings";
import { counted, sentence, WORDS, type Key } from "../words";

const KEYS = Object.keys(WORDS.en) as Key[];
const facts = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort();

test("both languages ask for the same facts", () => {
  const other = KEYS.filter((key) => String(facts(WORDS.en[key])) !== String(facts(WORDS.zh[key])));
  expect(other).toEqual([]);
});

test("no sentence is empty", () => {
  expect(KEYS.filter((key) => !WORDS.en[key].trim() || !WORDS.zh[key].trim())).toEqual([]);
});

test("Chinese sentences use Chinese punctuation", () => {
  expect(KEYS.filter((key) => /[\u4e00-\u9fff][,;:]/.test(WORDS.zh[key]))).toEqual([]);
});

test("a sentence is filled in, and keeps what it is not told", () => {
  expect(sentence("en", "step_soon", { ticket: "T-1", left: "07:05" })).toBe("T-1 is due in 07:05");
  expect(sentence("zh", "late", {})).toBe("迟到 {t}");
});

test("one thing and many things are worded apart", () => {
  expect(sentence("en", counted(1, "stops_one", "stops"), { n: 1 })).toBe("1 visit");
  expect(sentence("en", counted(3, "stops_one", "stops"), { n: 3 })).toBe("3 visits");
});

test.each([
  [null, "zh-CN", "zh"],
  [null, "zh-TW", "zh"],
  [null, "de-DE", "en"],
  ["en", "zh-CN", "en"],
  ["xx", "zh-CN", "zh"],
])("chosen %s in a %s browser means %s", (chosen, browser, language) => {
  expect(first_language(chosen, browser)).toBe(language);
});

test("no sentence is left over", () => {
  const files = import.meta.glob<string>(
    ["../**/*.{ts,tsx}", "!../tests/**", "!../words.ts", "!../api.d.ts"],
    {
      query: "?raw",
      import: "default",
      eager: true,
    },
  );
  const sources = Object.values(files).join("\n");
  expect(KEYS.filter((key) => !sources.includes(`"${key}"`) && !sources.includes(`  ${key}:`))).toEqual([]);
});
