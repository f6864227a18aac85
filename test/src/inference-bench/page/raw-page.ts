import * as ort from "onnxruntime-web/wasm";
import { inputValues, type Contestant, type ModelInfo } from "../contestant.ts";
import { timedCall } from "./main-thread.ts";

/** onnxruntime-web in the page's own thread. */
export function rawInPage(models: readonly ModelInfo[]): Contestant {
  ort.env.wasm.numThreads = 1;
  return {
    name: "rawPage",
    async open(name) {
      const model = models.find((each) => each.name === name)!;
      const bytes = new Uint8Array(await (await fetch(`/models/${name}.onnx`)).arrayBuffer());
      const session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
      const ask = (values: Float32Array, rows: number) =>
        session.run({ [model.input]: new ort.Tensor("float32", values, [rows, ...model.shape]) });
      const call = (values: Float32Array, rows: number) => timedCall(() => ask(values, rows));
      const one = inputValues(model);
      return {
        run: () => call(one, 1),
        runRows: (rows) => call(inputValues(model, rows), rows),
        scores: async () => Object.values(await ask(one, 1))[0]!.data as Float32Array,
        close: () => session.release(),
      };
    },
  };
}
