import { createOrtWebEngine } from "../src/ort-web.ts";
import { describeEngine } from "../src/testing/index.ts";

// SwiftShader, where there is no GPU: right answers, slowly.
describeEngine("onnxruntime-web WebGPU, in the browser", {
  open: () => createOrtWebEngine({ prefer: "webgpu" }),
});
