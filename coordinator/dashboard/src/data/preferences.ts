import { useSyncExternalStore } from "react";
import { createStore, type Store } from "../live/connection.ts";

/** Which colours the pages are in. */
export type Theme = "system" | "light" | "dark";

const THEMES: readonly Theme[] = ["system", "light", "dark"];
const THEME_KEY = "tributary.theme";
const SHORTCUTS_KEY = "tributary.shortcuts";

/** Whatever keeps text by name; a browser may forbid it, and then the choice lasts as long as the page. */
type Keep = Pick<Storage, "getItem" | "setItem">;

function kept(): Keep | undefined {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined;
  }
}

const theme = createStore<Theme>(THEMES.find((each) => each === kept()?.getItem(THEME_KEY)) ?? "system");
const shortcuts = createStore(kept()?.getItem(SHORTCUTS_KEY) !== "off");

function useValue<Value>(store: Store<Value>): Value {
  return useSyncExternalStore(store.subscribe, store.get);
}

export function useTheme(): Theme {
  return useValue(theme);
}

/** Whether single keys do something. Whoever speaks to the computer turns them off. */
export function useShortcutsOn(): boolean {
  return useValue(shortcuts);
}

export function shortcutsOn(): boolean {
  return shortcuts.get();
}

export function chooseTheme(next: Theme): void {
  theme.set(next);
  showTheme();
  keep(THEME_KEY, next);
}

export function turnShortcuts(on: boolean): void {
  shortcuts.set(on);
  keep(SHORTCUTS_KEY, on ? "on" : "off");
}

/** Gives the document the colours that were chosen here before. */
export function showTheme(): void {
  const chosen = theme.get();
  if (chosen === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = chosen;
}

function keep(key: string, value: string): void {
  try {
    kept()?.setItem(key, value);
  } catch {
    // No room, or not allowed: the choice lasts as long as the page.
  }
}
