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

/** Colours as a canvas takes them: `var(--line)`, and what is made of such, as they are on the page now. */
export function readColors(...colors: readonly string[]): string[] {
  const probe = document.createElement("i");
  probe.hidden = true;
  document.body.append(probe);
  // A custom property says `light-dark(…)`; a colour that uses it is the one or the other.
  const read = colors.map((color) => {
    probe.style.color = color;
    return getComputedStyle(probe).color;
  });
  probe.remove();
  return read;
}

export function chartColors(): ChartColors {
  const [text, grid, heldOut, heldOutFill, band, training, surface] = readColors(
    "var(--ink-soft)",
    "var(--line)",
    "var(--series-1)",
    "var(--series-1-fill)",
    "var(--series-1-band)",
    "var(--series-2)",
    "var(--surface)",
  ) as [string, string, string, string, string, string, string];
  const font = `12px ${getComputedStyle(document.documentElement).getPropertyValue("--font").trim()}`;
  return { text, grid, heldOut, heldOutFill, band, training, surface, font };
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
