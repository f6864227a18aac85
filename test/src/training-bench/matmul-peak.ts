import { seededRandom } from "@tributary/core";
import { encodeModel } from "@tributary/onnx";
import type { TestEngine } from "../../../packages/onnx/test/support/engines.ts";
import type { Timed } from "./timed.ts";

const SIZE = 512;

/** One 512 by 512 by 512 product of matrices: what the engine reaches at best on this machine. */
export async function matmulPeak(engine: TestEngine): Promise<Timed> {
  const random = seededRandom("peak");
  const shape = [SIZE, SIZE];
  const port = (name: string) => ({ name, elementType: "float32", shape }) as const;
  const model = encodeModel({
    irVersion: 8,
    producerName: "tributary",
    producerVersion: "",
    domain: "",
    modelVersion: 0,
    opsetImports: [{ domain: "", version: 17 }],
    metadata: [],
    graph: {
      name: "peak",
      nodes: [
        {
          name: "",
          opType: "MatMul",
          domain: "",
          inputs: ["a", "b"],
          outputs: ["c"],
          attributes: new Map(),
        },
      ],
      initializers: [],
      inputs: [port("a"), port("b")],
      outputs: [port("c")],
      valueInfo: [],
    },
  });
  const session = await engine.load(model);
  const matrix = () =>
    new engine.Tensor(
      "float32",
      Float32Array.from({ length: SIZE * SIZE }, () => random.normal()),
      shape,
    );
  const feeds = { a: matrix(), b: matrix() };
  return {
    info: { name: "matmul", batchSize: 0, flops: 2 * SIZE ** 3 },
    async run() {
      await session.run(feeds);
    },
  };
}
