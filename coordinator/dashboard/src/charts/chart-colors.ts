import { useSyncExternalStore } from "react";
import { useTheme } from "../data/preferences.ts";

/** A chart is a canvas: it takes the page's colours by value. */
export interface ChartColors {
  readonly text: string;
  readonly grid: string;
  readonly heldOut: string;
  readonly heldOutFill: string;
  readonly band: string;
  readonly training: string;
  readonly surface: string;
  readonly font: string;
}

export function chartColors(): ChartColors {
  const probe = document.createElement("i");
  probe.hidden = true;
  document.body.append(probe);
  // A custom property says `light-dark(…)`; a colour that uses it is the one or the other.
  const read = (name: string): string => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const colors = {
    text: read("--ink-soft"),
    grid: read("--line"),
    heldOut: read("--series-1"),
    heldOutFill: read("--series-1-fill"),
    band: read("--series-1-band"),
    training: read("--series-2"),
    surface: read("--surface"),
    font: `12px ${getComputedStyle(document.documentElement).getPropertyValue("--font").trim()}`,
  };
  probe.remove();
  return colors;
}

const DARK = matchMedia("(prefers-color-scheme: dark)");

function subscribe(listener: () => void): () => void {
  DARK.addEventListener("change", listener);
  return () => DARK.removeEventListener("change", listener);
}

/** Which colours the page is in: as chosen, or as the system has them. */
export function useColorScheme(): "dark" | "light" {
  const system = useSyncExternalStore(subscribe, () => (DARK.matches ? "dark" : "light"));
  const theme = useTheme();
  return theme === "system" ? system : theme;
}
