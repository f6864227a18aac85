import { createOrtWebEngine } from "../src/ort-web.ts";
import { describeEngine } from "../src/testing/index.ts";

describeEngine("onnxruntime-web WASM, in Node", {
  open: () => createOrtWebEngine({ prefer: "wasm" }),
});
