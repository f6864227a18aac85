import { env, LogLevel, PreTrainedModel, Tensor } from "@huggingface/transformers";
import { inputValues, type Contestant, type ModelInfo } from "../contestant.ts";
import { timedCall } from "./main-thread.ts";

/** Transformers.js in the page's own thread, as it is used there: its models are callable, and check and wrap each tensor. */
export function transformersInPage(models: readonly ModelInfo[]): Contestant {
  Object.assign(env, { allowRemoteModels: false, allowLocalModels: true });
  env.localModelPath = "/transformers/";
  env.logLevel = LogLevel.ERROR; // of a network that it does not know
  const { wasm } = env.backends.onnx;
  // The file beside the bundle, as for all others, and not one of a CDN.
  Object.assign(wasm!, { wasmPaths: undefined, numThreads: 1 });
  return {
    name: "transformersPage",
    async open(name) {
      const info = models.find((each) => each.name === name)!;
      const model = await PreTrainedModel.from_pretrained(name, { device: "wasm", dtype: "fp32" });
      const ask = async (values: Float32Array, rows: number) => {
        const call = model as unknown as (feeds: object) => Promise<Record<string, Tensor>>;
        const answer = await call({ [info.input]: new Tensor("float32", values, [rows, ...info.shape]) });
        return Object.values(answer)[0]!.data as Float32Array;
      };
      const one = inputValues(info);
      return {
        run: () => timedCall(() => ask(one, 1)),
        runRows: (rows) => timedCall(() => ask(inputValues(info, rows), rows)),
        scores: () => ask(one, 1),
        close: async () => void (await model.dispose()),
      };
    },
  };
}
