/** Pad, answer and keys: usable at once, answered as soon as the model is here. */
import type { ModelHandle } from "@tributary/runtime";
import { createBars } from "./bars.ts";
import { byId, paintDigit, setText } from "./elements.ts";
import { createPad } from "./pad.ts";
import { plain } from "./plain.ts";
import { createPredictor, type Predictor } from "./predictor.ts";
import { placeDigit, type PlacedDigit } from "./strokes.ts";
import { createWhyPanel } from "./why-panel.ts";

export interface PadPanel {
  /** The model is here: what is drawn already is read now. */
  attach(model: ModelHandle, onKept: () => Promise<void>): void;
  /** Another version answers from now on. */
  readAgain(): void;
}

export function createPadPanel(onProblem: (words: string) => void): PadPanel {
  const bars = createBars();
  const why = createWhyPanel();
  const frame = byId("pad-frame");
  const seen = byId<HTMLCanvasElement>("seen");
  const clear = byId<HTMLButtonElement>("clear");
  const undo = byId<HTMLButtonElement>("undo");
  const confirm = byId<HTMLButtonElement>("confirm");
  const latency = byId("latency");
  let digit: PlacedDigit | undefined;
  let read: number | undefined;
  let attached: { model: ModelHandle; predictor: Predictor; onKept: () => Promise<void> } | undefined;

  const ask = (): void => {
    for (const key of labels) key.disabled = digit === undefined || attached === undefined;
    if (digit !== undefined) attached?.predictor.ask(digit.image);
  };
  const kept = (words: string, kind: "done" | "error" = "done"): void => {
    const note = byId("kept");
    note.dataset["kind"] = kind;
    setText(note, words);
  };
  const keep = async (label: number): Promise<void> => {
    if (digit === undefined || attached === undefined) return;
    const { model, onKept } = attached;
    const bytes = Uint8Array.from(digit.image, (ink) => Math.round(255 * ink));
    const agreed = label === read;
    pad.clear();
    try {
      await model.examples.add({ [model.state.inputs[0]!.name]: bytes, label });
      kept(agreed ? `Kept on this device: a ${label}.` : `Kept on this device as a ${label}. Thank you.`);
      await onKept();
    } catch (error) {
      kept(`It could not be kept: ${plain(error)}`, "error");
    }
  };
  const labels = Array.from({ length: 10 }, (_, label) => {
    const key = document.createElement("button");
    key.type = "button";
    key.textContent = String(label);
    key.disabled = true;
    key.dataset["testid"] = `label-${label}`;
    key.setAttribute("aria-label", `No, it is a ${label}`);
    key.addEventListener("click", () => void keep(label));
    byId("labels").append(key);
    return key;
  });

  const pad = createPad({
    canvas: byId<HTMLCanvasElement>("pad"),
    onChange(strokes, isDrawing) {
      const drawn = strokes.length > 0;
      frame.classList.toggle("drawn", drawn);
      clear.disabled = undo.disabled = !drawn;
      if (drawn) {
        kept("");
        digit = placeDigit(strokes);
        paintDigit(seen, digit.image);
        bars.waiting(attached === undefined);
      } else {
        digit = read = undefined;
        confirm.disabled = true;
        attached?.predictor.cancel();
        bars.clear();
      }
      // A drawing that changes is explained when the pen leaves it.
      why.drawn(isDrawing ? undefined : digit);
      ask();
    },
    onStroke() {
      bars.speak();
      why.drawn(digit);
    },
    onDigit: (label) => void keep(label),
  });
  clear.addEventListener("click", () => pad.clear());
  undo.addEventListener("click", () => pad.undo());
  confirm.addEventListener("click", () => {
    if (read !== undefined) void keep(read);
  });

  return {
    attach(model, onKept) {
      const predictor = createPredictor({
        model,
        onAnswer({ probabilities, classes }) {
          read = classes[0];
          confirm.disabled = false;
          bars.show(probabilities);
          const median = predictor.medianMs;
          if (median !== undefined)
            setText(latency, `${median < 10 ? median.toFixed(1) : Math.round(median)} ms`);
        },
        onError: (error) => onProblem(`The model could not answer: ${plain(error)}`),
      });
      attached = { model, predictor, onKept };
      why.attach(model);
      ask();
    },
    readAgain() {
      ask();
      why.drawn(digit);
    },
  };
}
