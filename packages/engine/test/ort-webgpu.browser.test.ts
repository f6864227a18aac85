import { createOrtWebEngine } from "../src/ort-web.ts";
import { describeEngine } from "../src/testing/index.ts";

interface Gpu {
  requestAdapter(): Promise<{ readonly features: ReadonlySet<string> } | null>;
}

const adapter = await (navigator as unknown as { gpu?: Gpu }).gpu?.requestAdapter();
const halfFloats = adapter?.features.has("shader-f16") === true;

// SwiftShader, where there is no GPU: right answers, slowly.
describeEngine("onnxruntime-web WebGPU, in the browser", {
  open: () => createOrtWebEngine({ prefer: "webgpu" }),
  knownFailures: halfFloats
    ? {}
    : Object.fromEntries(
        ["Cast float32 to float16: raw bits", "Cast float16 to float32: raw bits"].map((name) => [
          name,
          "the adapter has no shader-f16, which SwiftShader never has",
        ]),
      ),
});
