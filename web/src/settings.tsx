/** What a person chose: language and colours, remembered in the browser. */
import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import type { Words } from "./shapes";
import { sentence, type Facts, type Key, type Language } from "./words";

type Settings = {
  language: Language;
  dark: boolean;
  set_language: (language: Language) => void;
  set_dark: (dark: boolean) => void;
};

const Context = createContext<Settings | null>(null);
const LANGUAGE = "fieldcare.language";
const COLOURS = "fieldcare.colours";

/** Returns the language chosen before, else Chinese for a Chinese browser, else English. */
export function first_language(chosen: string | null, browser: string): Language {
  if (chosen === "zh" || chosen === "en") return chosen;
  return browser.toLowerCase().startsWith("zh") ? "zh" : "en";
}

export function remembered(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // storage is switched off; the choice lasts as long as the page
  }
}

export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // storage is switched off; the choice lasts as long as the page
  }
}

const system = window.matchMedia("(prefers-color-scheme: dark)");

export function SettingsProvider({ children }: { children: ReactNode }) {
  const [language, set_language] = useState(() => first_language(remembered(LANGUAGE), navigator.language));
  const [chosen, set_chosen] = useState(() => remembered(COLOURS));
  const [system_dark, set_system_dark] = useState(system.matches);
  const dark = chosen === null ? system_dark : chosen === "dark";
  useEffect(() => {
    const follow = () => set_system_dark(system.matches);
    system.addEventListener("change", follow);
    return () => system.removeEventListener("change", follow);
  }, []);
  useEffect(() => {
    document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  }, [language]);
  useEffect(() => {
    document.documentElement.dataset.theme = dark ? "dark" : "light";
  }, [dark]);
  const settings: Settings = {
    language,
    dark,
    set_language: (to) => {
      remember(LANGUAGE, to);
      set_language(to);
    },
    set_dark: (to) => {
      remember(COLOURS, to ? "dark" : "light");
      set_chosen(to ? "dark" : "light");
    },
  };
  return <Context value={settings}>{children}</Context>;
}

export function useSettings(): Settings {
  const settings = useContext(Context);
  if (!settings) throw new Error("useSettings outside of SettingsProvider");
  return settings;
}

/** Returns say(key, facts) for our own sentences and pick(words) for those of the API. */
export function useWords() {
  const { language } = useSettings();
  return useMemo(
    () => ({
      language,
      say: (key: Key, facts?: Facts) => sentence(language, key, facts),
      pick: (words: Words | null | undefined) => words?.[language] ?? "",
    }),
    [language],
  );
}
