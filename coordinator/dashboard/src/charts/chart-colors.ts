import { useSyncExternalStore } from "react";

/** A chart is a canvas: it takes the page's colours by value. */
export interface ChartColors {
  readonly text: string;
  readonly grid: string;
  readonly heldOut: string;
  readonly heldOutFill: string;
  readonly training: string;
  readonly surface: string;
  readonly font: string;
}

export function chartColors(): ChartColors {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string): string => style.getPropertyValue(name).trim();
  return {
    text: read("--ink-soft"),
    grid: read("--line"),
    heldOut: read("--series-1"),
    heldOutFill: read("--series-1-fill"),
    training: read("--series-2"),
    surface: read("--surface"),
    font: `12px ${read("--font")}`,
  };
}

const DARK = matchMedia("(prefers-color-scheme: dark)");

function subscribe(listener: () => void): () => void {
  DARK.addEventListener("change", listener);
  return () => DARK.removeEventListener("change", listener);
}

export function useColorScheme(): "dark" | "light" {
  return useSyncExternalStore(subscribe, () => (DARK.matches ? "dark" : "light"));
}
