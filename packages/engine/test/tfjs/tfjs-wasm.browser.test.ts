import simd from "@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-simd.wasm?url";
import threaded from "@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.wasm?url";
import plain from "@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm.wasm?url";
import { describeEngine } from "../../src/testing/index.ts";
import { createTfjsEngine } from "../../src/tfjs/index.ts";
import { SUITE_MODELS } from "./suite-models.ts";

const wasmPaths = {
  "tfjs-backend-wasm.wasm": plain,
  "tfjs-backend-wasm-simd.wasm": simd,
  "tfjs-backend-wasm-threaded-simd.wasm": threaded,
};

describeEngine("tfjs-wasm", {
  open: () => createTfjsEngine({ backend: "wasm", wasmPaths }),
  models: SUITE_MODELS,
});
