/** Answers that follow the pen: at most one question a frame, at most one under way, the newest drawing wins. */
import type { Inference, ModelHandle } from "@tributary/runtime";

export interface Predictor {
  /** Asks about this image with the next frame. */
  ask(image: Float32Array): void;
  /** Forgets the question that waits; an answer under way is dropped. */
  cancel(): void;
  /** Median of the last answers in ms, from question to bars; undefined before the first. */
  readonly medianMs: number | undefined;
}

export interface PredictorOptions {
  readonly model: ModelHandle;
  readonly onAnswer: (inference: Inference) => void;
  readonly onError: (error: unknown) => void;
}

/** Answers the median looks back on. */
const WINDOW = 60;

export function createPredictor({ model, onAnswer, onError }: PredictorOptions): Predictor {
  const times: number[] = [];
  let waiting: Float32Array | undefined;
  let scheduled = false;
  let busy = false;
  /** Counts cancellations: an answer of an earlier drawing is not shown. */
  let drawing = 0;

  const schedule = (): void => {
    if (scheduled || busy || waiting === undefined) return;
    scheduled = true;
    requestAnimationFrame(() => {
      scheduled = false;
      void answer();
    });
  };

  const answer = async (): Promise<void> => {
    const image = waiting;
    if (image === undefined || busy) return;
    waiting = undefined;
    busy = true;
    const asked = drawing;
    const start = performance.now();
    try {
      const feeds = { [model.state.inputs[0]!.name]: image.slice() };
      const inference = await model.run(feeds, { transfer: true });
      times.push(performance.now() - start);
      if (times.length > WINDOW) times.shift();
      if (asked === drawing) onAnswer(inference);
    } catch (error) {
      if (asked === drawing) onError(error);
    } finally {
      busy = false;
      schedule();
    }
  };

  return {
    ask(image) {
      waiting = image;
      schedule();
    },
    cancel() {
      waiting = undefined;
      drawing++;
    },
    get medianMs() {
      if (times.length === 0) return undefined;
      return [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)];
    },
  };
}
