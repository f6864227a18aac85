import { inputValues, type Contestant, type ModelInfo } from "../contestant.ts";
import { timedCall } from "./main-thread.ts";

export type Question =
  | { readonly id: number; readonly type: "load"; readonly model: string }
  | {
      readonly id: number;
      readonly type: "run";
      readonly model: string;
      readonly input: string;
      readonly values: Float32Array;
      readonly shape: readonly number[];
    };

export interface Answer {
  readonly id: number;
  readonly outputs: Readonly<Record<string, Float32Array>>;
}

type WithoutId<T> = T extends unknown ? Omit<T, "id"> : never;

/** onnxruntime-web in a worker, asked by bare messages. */
export function rawInWorker(models: readonly ModelInfo[]): Contestant {
  const worker = new Worker(new URL("./raw-worker.ts", import.meta.url), { type: "module" });
  const waiting = new Map<number, (answer: Answer) => void>();
  let lastId = 0;
  worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => {
    waiting.get(data.id)?.(data);
    waiting.delete(data.id);
  });
  const ask = (question: WithoutId<Question>): Promise<Answer> =>
    new Promise((resolve) => {
      const id = ++lastId;
      waiting.set(id, resolve);
      worker.postMessage({ id, ...question });
    });
  return {
    name: "rawWorker",
    async open(name) {
      const model = models.find((each) => each.name === name)!;
      await ask({ type: "load", model: name });
      const question = (values: Float32Array, rows: number) =>
        ask({ type: "run", model: name, input: model.input, values, shape: [rows, ...model.shape] });
      const call = (values: Float32Array, rows: number) => timedCall(() => question(values, rows));
      const one = inputValues(model);
      return {
        run: () => call(one, 1),
        runRows: (rows) => call(inputValues(model, rows), rows),
        scores: async () => Object.values((await question(one, 1)).outputs)[0]!,
        close: async () => {},
      };
    },
  };
}
