/** The digits pad: draw, read, correct, learn, take part. */
import { TributaryError } from "@tributary/core";
import type { ModelHandle, ModelState, Runtime } from "@tributary/runtime";
import { createRuntime } from "@tributary/runtime/browser";
import { createBars } from "./bars.ts";
import { byId, paintDigit, setText } from "./elements.ts";
import { createExamplesPanel } from "./examples-panel.ts";
import { createPad } from "./pad.ts";
import { createParticipationPanel } from "./participation-panel.ts";
import { createPredictor } from "./predictor.ts";
import { fetchToken, loadSite, ROOT_URL } from "./site.ts";
import type { Site } from "./site.ts";
import { renderDigit } from "./strokes.ts";
import { toast } from "./toast.ts";

/** The first visit needs the coordinator; until it answers the page asks again, less and less often. */
const RETRY_MS = [1000, 2000, 4000, 8000, 15_000] as const;

async function start(): Promise<void> {
  const bars = createBars();
  for (let attempt = 0; ; attempt++) {
    try {
      const site = await loadSite();
      const runtime = await createRuntime({
        coordinator: site.coordinator,
        population: site.population,
        trust: { root: ROOT_URL },
        token: fetchToken,
        software: "tributary-demo",
      });
      try {
        const model = await runtime.model(site.model);
        showBanner(undefined);
        run(site, runtime, model, bars);
        return;
      } catch (error) {
        await runtime.close();
        throw error;
      }
    } catch (error) {
      if (TributaryError.is(error) && !error.retryable && error.code === "runtime/insecure-context") {
        showBanner(`${error.publicMessage} ${error.advice ?? ""}`);
        return;
      }
      const waitMs = RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)]!;
      showBanner(`The model is not here yet: ${plain(error)} Asking again in ${waitMs / 1000} s.`);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}

function run(site: Site, runtime: Runtime, model: ModelHandle, bars: ReturnType<typeof createBars>): void {
  const frame = byId("pad-frame");
  const seen = byId<HTMLCanvasElement>("seen");
  const clear = byId<HTMLButtonElement>("clear");
  const undo = byId<HTMLButtonElement>("undo");
  const confirm = byId<HTMLButtonElement>("confirm");
  const latency = byId("latency");
  let image: Float32Array | undefined;
  let read: number | undefined;

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
    onError: (error) => showBanner(`The model could not answer: ${plain(error)}`),
  });

  const pad = createPad({
    canvas: byId<HTMLCanvasElement>("pad"),
    onChange(strokes) {
      const drawn = strokes.length > 0;
      frame.classList.toggle("drawn", drawn);
      clear.disabled = undo.disabled = !drawn;
      for (const key of labels) key.disabled = !drawn;
      if (!drawn) {
        image = read = undefined;
        confirm.disabled = true;
        predictor.cancel();
        bars.clear();
        return;
      }
      kept("");
      image = renderDigit(strokes);
      paintDigit(seen, image);
      predictor.ask(image);
    },
    onStroke: () => bars.speak(),
    onDigit: (label) => void keep(label),
  });
  clear.addEventListener("click", () => pad.clear());
  undo.addEventListener("click", () => pad.undo());

  const kept = (words: string, kind: "done" | "error" = "done"): void => {
    const note = byId("kept");
    note.dataset["kind"] = kind;
    setText(note, words);
  };
  const keep = async (label: number): Promise<void> => {
    if (image === undefined) return;
    const bytes = Uint8Array.from(image, (ink) => Math.round(255 * ink));
    const agreed = label === read;
    pad.clear();
    try {
      await model.examples.add({ [model.state.input.name]: bytes, label });
      kept(agreed ? `Kept on this device: a ${label}.` : `Kept on this device as a ${label}. Thank you.`);
      await examples.changed();
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
  confirm.addEventListener("click", () => {
    if (read !== undefined) void keep(read);
  });

  const participation = createParticipationPanel({ runtime, task: site.task });
  const examples = createExamplesPanel({
    examples: model.examples,
    onChange: (count) => participation.setExamples(count),
  });
  setText(
    byId("source"),
    `The model and its new versions come from ${site.coordinator}, signed, and are checked here.`,
  );

  showState(model.state);
  const follow = async (): Promise<void> => {
    for await (const event of runtime.events()) {
      participation.onRuntimeEvent(event);
      if (event.type !== "running" || event.model !== model.name) continue;
      showState(event.state);
      if (event.previousVersion !== null && event.previousVersion !== event.version) {
        toast(`Version ${event.version} arrived, in use.`);
      }
      if (image !== undefined) predictor.ask(image);
    }
  };
  void follow();
}

function showState(state: ModelState): void {
  setText(byId("version"), String(state.version));
  const name = state.engine === "ort-webgpu" ? "WebGPU" : "WASM";
  setText(byId("engine"), name);
  setText(byId("engine-why"), state.note === undefined ? "" : `Runs on ${name} in this page: ${state.note}.`);
}

function showBanner(words: string | undefined): void {
  const banner = byId("banner");
  banner.hidden = words === undefined;
  if (words !== undefined) setText(banner, words);
}

function plain(error: unknown): string {
  if (TributaryError.is(error)) return error.publicMessage;
  const message = error instanceof Error ? error.message : String(error);
  return message.endsWith(".") ? message : `${message}.`;
}

void start();
