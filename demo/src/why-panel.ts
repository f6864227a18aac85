/** Why the model reads what it reads: its attributions as a heat map on the drawing. */
import type { Explanation, ModelHandle } from "@tributary/runtime";
import { TributaryError } from "@tributary/runtime/errors";
import { byId, setText } from "./elements.ts";
import { paintHeat } from "./heat.ts";
import { plain } from "./plain.ts";
import type { PlacedDigit } from "./strokes.ts";

export interface WhyPanel {
  attach(model: ModelHandle): void;
  /** The drawing that the pen has left, and that was read; undefined: there is none, or it is being changed. */
  drawn(digit: PlacedDigit | undefined): void;
}

/** Points on the way from an empty pad to the drawing: more change no colour that an eye could tell. */
const STEPS = 16;

export function createWhyPanel(): WhyPanel {
  const toggle = byId<HTMLButtonElement>("why");
  const heat = byId<HTMLCanvasElement>("heat");
  const legend = byId("why-legend");
  const problem = byId("why-problem");
  let model: ModelHandle | undefined;
  let digit: PlacedDigit | undefined;
  let asked: AbortController | undefined;

  const isOn = (): boolean => toggle.getAttribute("aria-pressed") === "true";
  const hide = (): void => {
    heat.hidden = legend.hidden = true;
    setText(problem, "");
  };
  const update = (): void => {
    asked?.abort();
    asked = undefined;
    toggle.disabled = model === undefined || digit === undefined;
    hide();
    if (isOn() && model !== undefined && digit !== undefined) void show(model, digit);
  };
  const show = async (by: ModelHandle, what: PlacedDigit): Promise<void> => {
    const own = (asked = new AbortController());
    try {
      const { attributions, target } = await explained(by, what.image, own.signal);
      if (own.signal.aborted) return;
      heat.hidden = legend.hidden = false;
      paintHeat(heat, Object.values(attributions)[0]!.data as Float32Array, what.placement);
      setText(byId("why-for"), `speaks for a ${target}`);
    } catch (error) {
      if (!own.signal.aborted) setText(problem, `Why it reads that is not known: ${plain(error)}`);
    }
  };

  toggle.addEventListener("click", () => {
    toggle.setAttribute("aria-pressed", String(!isOn()));
    update();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", update);

  return {
    attach(attached) {
      model = attached;
      update();
    },
    drawn(next) {
      digit = next;
      update();
    },
  };
}

/** By gradients; of a model that was published without them by covering parts of the drawing. */
async function explained(model: ModelHandle, image: Float32Array, signal: AbortSignal): Promise<Explanation> {
  const feeds = { [model.state.inputs[0]!.name]: image };
  try {
    return await model.explain(feeds, { steps: STEPS, signal });
  } catch (error) {
    if (!TributaryError.is(error) || error.code !== "runtime/not-explainable") throw error;
    return await model.explain(feeds, { method: "occlusion", signal });
  }
}
