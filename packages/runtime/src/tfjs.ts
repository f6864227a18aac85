/**
 * TensorFlow.js for a page's runtime: `createRuntime({ tfjs: tfjs({ wasmPaths }) })`. Only a page that imports this ships it. The app has
 * `@tensorflow/tfjs`, `@tensorflow/tfjs-backend-wasm` and `@tensorflow/tfjs-backend-webgpu` among its own dependencies.
 */
import type { TfjsSettings, TfjsWorker } from "./worker/tfjs-engines.ts";

export type { TfjsSettings, TfjsWorker } from "./worker/tfjs-engines.ts";

export function tfjs(settings: TfjsSettings = {}): TfjsWorker {
  return {
    settings,
    spawn: () => new Worker(new URL("./worker/tfjs-worker.js", import.meta.url), { type: "module" }),
  };
}
