import { useEffect, useEffectEvent } from "react";
import { shortcutsOn } from "../data/preferences.ts";
import { PAGES } from "../pages.ts";
import { nextShortcut } from "./shortcuts.ts";

/** Within this time the second key follows the first: nobody has to be quick. */
const SEQUENCE_MS = 5_000;

/** Goes to a page by two keys, and tells of them by `?`. */
export function useShortcuts(navigate: (path: string) => void, onHelp: () => void): void {
  const act = useEffectEvent((path: string | undefined) => {
    if (path === undefined) onHelp();
    else navigate(path);
  });
  useEffect(() => {
    let first: { readonly key: string; readonly atMs: number } | undefined;
    const onKey = (event: KeyboardEvent): void => {
      if (!shortcutsOn() || isElsewhere(event)) {
        first = undefined;
        return;
      }
      const began = first !== undefined && event.timeStamp - first.atMs < SEQUENCE_MS ? first.key : undefined;
      const next = nextShortcut(PAGES, began, event.key);
      first = next.type === "begun" ? { key: event.key, atMs: event.timeStamp } : undefined;
      if (next.type === "none" || next.type === "begun") return;
      event.preventDefault();
      act(next.type === "help" ? undefined : next.path);
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}

/** Whether the key is for something else: a field that is typed into, a dialog, or the browser. */
function isElsewhere(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return true;
  const { target } = event;
  return (
    target instanceof Element &&
    target.closest(
      "input, textarea, select, [contenteditable], [role=dialog], [role=alertdialog], [role=menu]",
    ) !== null
  );
}
