/** "Forget everything": what a person may ask at any time, and what became of it. */
import type { Erasure, Runtime } from "@tributary/runtime";
import { byId, setText } from "./elements.ts";
import { plain } from "./plain.ts";

/** How long "Really forget everything?" waits for the second press. */
const ARMED_MS = 4000;

/** @param onForgotten - the examples are gone */
export function createForgetPanel(runtime: Runtime, onForgotten: () => Promise<void>): void {
  const button = byId<HTMLButtonElement>("forget");
  const told = byId("forgotten");
  let disarm: ReturnType<typeof setTimeout> | undefined;
  const calm = (): void => {
    clearTimeout(disarm);
    disarm = undefined;
    setText(button, "Forget everything");
  };
  const forget = async (): Promise<void> => {
    button.disabled = true;
    try {
      setText(told, erasureWords(await runtime.forget()));
    } catch (error) {
      setText(told, plain(error));
    } finally {
      button.disabled = false;
      await onForgotten();
    }
  };
  button.addEventListener("click", () => {
    if (disarm === undefined) {
      setText(button, "Really forget everything?");
      disarm = setTimeout(calm, ARMED_MS);
      return;
    }
    calm();
    void forget();
  });
}

export function erasureWords({ examples, keys, coordinator }: Erasure): string {
  const count = examples.reduce((sum, each) => sum + (each.count ?? 0), 0);
  const here = [
    count === 1 ? "1 example" : `${count} examples`,
    keys.length === 1 ? "1 key" : `${keys.length} keys`,
    "your consent",
  ].join(", ");
  const there =
    coordinator.record === "erased"
      ? "The coordinator erased its record of this device."
      : coordinator.record === "none"
        ? "The coordinator had no record of this device."
        : "The coordinator could not be told; without this device's keys its record ends within a week.";
  return `Erased here: ${here}. ${there}`;
}
