/** Learning a hand for this device only: asked for by a button, told in words, undone by another. */
import type { ModelHandle, PersonalisationReport, Runtime, RuntimeEvent } from "@tributary/runtime";
import { byId, setText } from "./elements.ts";
import { plain } from "./plain.ts";

export interface PersonalPanel {
  /** How many drawings there are to learn from. */
  setExamples(count: number): void;
  onRuntimeEvent(event: RuntimeEvent): void;
}

export interface PersonalPanelOptions {
  readonly runtime: Runtime;
  readonly model: ModelHandle;
  /** The model answers otherwise than before. */
  readonly onChange: () => void;
}

/** Fewer tell nothing of a hand. */
const LEAST_EXAMPLES = 5;

export function createPersonalPanel({ runtime, model, onChange }: PersonalPanelOptions): PersonalPanel {
  const text = byId("hand-text");
  const progress = byId<HTMLProgressElement>("hand-progress");
  const learn = byId<HTMLButtonElement>("learn-hand");
  const unlearn = byId<HTMLButtonElement>("unlearn-hand");
  let count = 0;
  let report: PersonalisationReport | undefined;
  let learning: AbortController | undefined;
  /** What was told last, until there is something else to tell. */
  let told: string | undefined;

  const show = (): void => {
    const asked = report === undefined ? "Learn my handwriting on this device only" : "Learn it again";
    setText(learn, learning === undefined ? asked : "Stop learning");
    learn.disabled = learning === undefined && count < LEAST_EXAMPLES;
    unlearn.hidden = report === undefined || learning !== undefined;
    progress.hidden = learning === undefined;
    if (learning === undefined) setText(text, told ?? wordsOf(report, count));
  };

  const train = async (): Promise<void> => {
    const own = (learning = new AbortController());
    progress.removeAttribute("value");
    setText(text, "Learning from your drawings. It rests while you draw.");
    told = undefined;
    show();
    try {
      const result = await model.personalise({
        signal: own.signal,
        onProgress({ step, steps }) {
          progress.max = steps;
          progress.value = step;
        },
      });
      if (result.adopted) report = result;
      else told = "Your drawings taught it nothing that it reads better by, so nothing changed.";
    } catch (error) {
      if (!own.signal.aborted) told = plain(error);
    } finally {
      learning = undefined;
      show();
      onChange();
    }
  };

  learn.addEventListener("click", () => {
    if (learning === undefined) void train();
    else learning.abort();
  });
  unlearn.addEventListener("click", () => {
    void model.personal.clear().catch((error: unknown) => {
      told = plain(error);
      show();
    });
  });
  const readKept = async (): Promise<void> => {
    const { models } = await runtime.diagnose();
    report = models.find((each) => each.model === model.name)?.personal?.report;
    show();
  };
  void readKept();

  return {
    setExamples(next) {
      if (next !== count) told = undefined;
      count = next;
      show();
    },
    onRuntimeEvent(event) {
      if (event.type === "forgotten") report = undefined;
      else if (event.type !== "personal" || event.model !== model.name) return;
      else if (event.change === "dropped") report = undefined;
      else if (event.change === "adopted") report = event.report;
      if (event.type === "personal" && event.change === "kept") {
        told = `Version ${event.version} arrived. With what it learnt of your hand it still reads you better.`;
      }
      if (event.type === "personal" && event.change === "dropped") {
        told =
          event.reason === "erased"
            ? "Unlearnt: the model reads as everybody's does."
            : "A new version reads you as well without what was learnt of your hand, so that was erased.";
      }
      show();
      onChange();
    },
  };
}

/** What there is to say of weights that were learnt, or of drawings that there are to learn from. */
export function wordsOf(report: PersonalisationReport | undefined, count: number): string {
  if (report !== undefined) {
    const { before, after, heldBack, examples } = report;
    const drawings = `${heldBack} ${heldBack === 1 ? "drawing" : "drawings"} that it did not learn from`;
    const rates =
      before.accuracy === null || after.accuracy === null
        ? ""
        : ` On ${drawings} it was right in ${percent(before.accuracy)} before, and is in ${percent(after.accuracy)} now.`;
    return `It learnt your hand from ${examples} drawings, on this device only.${rates}`;
  }
  if (count < LEAST_EXAMPLES) {
    return `Keep ${LEAST_EXAMPLES} drawings, and the model can learn your hand from them. What it learns stays on this device.`;
  }
  return "The model can learn your hand from your drawings. What it learns stays on this device, whether or not you take part below.";
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
