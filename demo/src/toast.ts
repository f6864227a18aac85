import { byId } from "./elements.ts";

/** How long a toast stays; long enough to be read twice. */
const STAYS_MS = 7000;

/** A short message at the bottom of the page, also read aloud; it replaces the one before. */
export function toast(text: string): void {
  const element = document.createElement("p");
  element.className = "toast";
  element.dataset["testid"] = "toast";
  element.textContent = text;
  const list = byId("toasts");
  list.replaceChildren(element);
  setTimeout(() => element.remove(), STAYS_MS);
}
