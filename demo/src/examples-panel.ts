/** The examples kept on this device: shown, counted, erased. */
import type { ExampleCollection } from "@tributary/runtime";
import { byId, paintDigit, setText } from "./elements.ts";

export interface ExamplesPanel {
  readonly count: number;
  /** Shows them as they are now, here and in other tabs. */
  changed(): Promise<void>;
}

export interface ExamplesPanelOptions {
  readonly examples: ExampleCollection;
  readonly onChange: (count: number) => void;
}

/** The newest are shown; more would only cost memory. */
const SHOWN = 48;

/** Changes whenever the examples do: tells the other tabs of this page. */
const CHANGED_KEY = "tributary-examples-changed";

/** How long "Really erase?" waits for the second press. */
const ARMED_MS = 4000;

export function createExamplesPanel({ examples, onChange }: ExamplesPanelOptions): ExamplesPanel {
  const number = byId("example-count");
  const empty = byId("examples-empty");
  const list = byId("examples");
  const tools = byId("examples-tools");
  const erase = byId<HTMLButtonElement>("erase");
  let count = 0;
  let disarm: ReturnType<typeof setTimeout> | undefined;

  const refresh = async (): Promise<void> => {
    const all = await examples.list();
    count = all.length;
    setText(number, String(count));
    empty.hidden = count > 0;
    list.hidden = count === 0;
    tools.hidden = count === 0;
    list.replaceChildren(
      ...all
        .slice(-SHOWN)
        .reverse()
        .map(({ inputs, label }) =>
          thumbnail(Object.values(inputs)[0] as Float32Array | Uint8Array, Number(label)),
        ),
    );
    onChange(count);
  };

  const changed = (): Promise<void> => {
    localStorage.setItem(CHANGED_KEY, String(Date.now()));
    return refresh();
  };
  addEventListener("storage", ({ key }) => {
    if (key === CHANGED_KEY) void refresh();
  });

  const calm = (): void => {
    clearTimeout(disarm);
    disarm = undefined;
    setText(erase, "Erase all");
  };
  erase.addEventListener("click", () => {
    if (disarm === undefined) {
      setText(erase, "Really erase all?");
      disarm = setTimeout(calm, ARMED_MS);
      return;
    }
    calm();
    void examples.clear().then(changed);
  });

  void refresh();

  return {
    get count() {
      return count;
    },
    changed,
  };
}

function thumbnail(features: Float32Array | Uint8Array, label: number): HTMLLIElement {
  const item = document.createElement("li");
  item.dataset["testid"] = "example";
  const canvas = document.createElement("canvas");
  canvas.width = 28;
  canvas.height = 28;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `Your drawing of a ${label}`);
  paintDigit(canvas, features instanceof Uint8Array ? Array.from(features, (byte) => byte / 255) : features);
  const name = document.createElement("span");
  name.className = "label";
  name.textContent = String(label);
  item.append(canvas, name);
  return item;
}
