import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { registerTrainingKernels } from "../../../engine/src/tfjs/training/wasm-kernels.ts";

let prepared = false;

/** Makes TensorFlow.js compute on this backend from now on; "wasm" with the kernel that training needs. */
export async function useTfjs(backend: "cpu" | "wasm"): Promise<void> {
  if (!prepared) {
    prepared = true;
    tf.env().set("PROD", true);
    const main = createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm");
    setWasmPaths(join(dirname(main), "../wasm-out/"));
    registerTrainingKernels();
  }
  if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js has no ${backend} backend here`);
}
