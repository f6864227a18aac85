import { tensor } from "@tributary/tensor";
import { expect, test } from "vitest";
import { createOrtWebEngine } from "../src/ort-web.ts";
import { runChain } from "../src/run-chain.ts";
import type { Session } from "../src/engine.ts";
import { describeEngine } from "../src/testing/index.ts";
import { tinyOnnx } from "../src/testing/tiny-onnx.ts";

const INCREMENT = tinyOnnx({
  nodes: [{ op: "Add", inputs: ["x", "one"], outputs: ["y"] }],
  inputs: { x: ["float32", ["batch", 2]] },
  outputs: { y: ["float32", ["batch", 2]] },
  initializers: { one: tensor("float32", [1], Float32Array.of(1)) },
});

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

interface Buffers {
  mapAsync(...given: readonly unknown[]): Promise<void>;
}

test("between two models of a chain nothing is read from the GPU", async () => {
  const buffers = (globalThis as unknown as { GPUBuffer: { prototype: Buffers } }).GPUBuffer.prototype;
  const { mapAsync } = buffers;
  let reads = 0;
  buffers.mapAsync = function count(...given) {
    reads += 1;
    return mapAsync.apply(this, given as []);
  };
  const engine = await createOrtWebEngine({ prefer: "webgpu" });
  try {
    const [plain, keeping] = await Promise.all(
      [false, true].map((keepsOutputs) => engine.load(INCREMENT, { keepsOutputs })),
    );
    expect([plain!.keep, typeof keeping!.keep]).toEqual([undefined, "function"]);
    const x = tensor("float32", [1, 2], Float32Array.of(1, 2));
    const readsOf = async (session: Session): Promise<number> => {
      const links = [{}, { x: "y" }, { x: "y" }].map((from) => ({ session, from }));
      const before = reads;
      const { y } = await runChain(links, { x });
      expect(y).toEqual(tensor("float32", [1, 2], Float32Array.of(4, 5)));
      return reads - before;
    };
    expect([await readsOf(plain!), await readsOf(keeping!)]).toEqual([3, 1]);
    expect((await keeping!.run({ x }))["y"]!.data).toEqual(Float32Array.of(2, 3));
  } finally {
    buffers.mapAsync = mapAsync;
    await engine.close();
  }
});
