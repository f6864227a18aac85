/** onnxruntime-web in a worker with nothing around it: what anybody would write first. */
import * as ort from "onnxruntime-web/wasm";
import type { Answer, Question } from "./raw-in-worker.ts";

ort.env.wasm.numThreads = 1;
const sessions = new Map<string, ort.InferenceSession>();

async function answer(question: Question): Promise<void> {
  const { id, model } = question;
  if (question.type === "load") {
    const bytes = new Uint8Array(await (await fetch(`/models/${model}.onnx`)).arrayBuffer());
    sessions.set(model, await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] }));
    postMessage({ id, outputs: {} } satisfies Answer);
    return;
  }
  const { input, values, shape } = question;
  const results = await sessions.get(model)!.run({ [input]: new ort.Tensor("float32", values, shape) });
  const outputs = Object.fromEntries(
    Object.entries(results).map(([name, { data }]) => [name, data as Float32Array]),
  );
  postMessage({ id, outputs } satisfies Answer, {
    transfer: Object.values(outputs).map(({ buffer }) => buffer as ArrayBuffer),
  });
}

let last: Promise<void> = Promise.resolve();
addEventListener("message", ({ data }: MessageEvent<Question>) => {
  // onnxruntime-web refuses a run while another is under way.
  last = last.then(() => answer(data));
});
