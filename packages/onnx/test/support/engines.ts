import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type * as OrtCommon from "onnxruntime-node";

type Ort = typeof OrtCommon;
export type OrtTensor = OrtCommon.Tensor;
export type Feeds = Record<string, OrtTensor>;

/** An onnxruntime under test; by default one thread, so that figures and bits do not depend on the machine. */
export interface TestEngine {
  readonly name: "ort-node" | "ort-wasm";
  readonly Tensor: Ort["Tensor"];
  load(model: Uint8Array): Promise<OrtCommon.InferenceSession>;
}

const SESSION_OPTIONS = { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 } as const;

export async function ortNode(): Promise<TestEngine> {
  const ort = await import("onnxruntime-node");
  return {
    name: "ort-node",
    Tensor: ort.Tensor,
    load: (model) => ort.InferenceSession.create(model, SESSION_OPTIONS),
  };
}

/** Its threads are settled, for the process, by the first session. */
export async function ortWasm(threads = 1): Promise<TestEngine> {
  const ort = (await import("onnxruntime-web/wasm")) as unknown as Ort;
  const main = createRequire(import.meta.url).resolve("onnxruntime-web/wasm");
  ort.env.wasm.numThreads = threads;
  // A path, not a URL: with several threads it would be fetched, and Node fetches no files.
  ort.env.wasm.wasmPaths = join(dirname(main), "/");
  return {
    name: "ort-wasm",
    Tensor: ort.Tensor,
    load: (model) => ort.InferenceSession.create(model, SESSION_OPTIONS),
  };
}

export const ENGINES = [
  ["ort-node", ortNode],
  ["ort-wasm", () => ortWasm()],
] as const;

export function floatsOf(tensor: OrtTensor | undefined): Float32Array {
  if (!(tensor?.data instanceof Float32Array)) throw new Error(`float32 expected, got ${tensor?.type}`);
  return tensor.data;
}
