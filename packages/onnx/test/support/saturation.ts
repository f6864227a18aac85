import { encodeModel } from "../../src/ir/encode.ts";
import type { TestEngine } from "./engines.ts";
import { nodeOf } from "./small-model.ts";

const SIZE = 16;

/** Whether this machine's kernels add pairs of uint8 by int8 products in int16, where 2 x 255 x 127 does not fit. */
export async function integerProductsSaturate(engine: TestEngine): Promise<boolean> {
  const model = encodeModel({
    irVersion: 8,
    producerName: "test",
    producerVersion: "",
    domain: "",
    modelVersion: 0,
    opsetImports: [{ domain: "", version: 17 }],
    metadata: [],
    graph: {
      name: "products",
      nodes: [nodeOf("MatMulInteger", ["x", "w"], ["y"])],
      initializers: [
        { name: "w", elementType: "int8", dims: [SIZE, SIZE], data: new Uint8Array(SIZE * SIZE).fill(127) },
      ],
      inputs: [{ name: "x", elementType: "uint8", shape: [1, SIZE] }],
      outputs: [{ name: "y", elementType: "int32", shape: [1, SIZE] }],
      valueInfo: [],
    },
  });
  const session = await engine.load(model);
  try {
    const x = new engine.Tensor("uint8", new Uint8Array(SIZE).fill(255), [1, SIZE]);
    const { y } = await session.run({ x });
    return Number(y!.data[0]) !== SIZE * 255 * 127;
  } finally {
    await session.release();
  }
}
