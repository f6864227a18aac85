import { describe, expect, test } from "vitest";
import { buildTrainingGraph } from "../../src/index.ts";
import { modelOf, nodeOf } from "../support/small-model.ts";

const OPTIONS = { batchSize: 2, loss: "softmax-cross-entropy", optimizer: "sgd", target: "cpu" } as const;

/** A layer normalization whose mean goes into the logits too, or is left alone. */
function normalized(mean: "read" | "unread"): Uint8Array {
  const sum = nodeOf("Add", ["normal", mean === "read" ? "mean" : "normal"], ["logits"]);
  return modelOf({
    input: [4],
    output: [3],
    nodes: [
      nodeOf("MatMul", ["x", "weight"], ["hidden"]),
      nodeOf("LayerNormalization", ["hidden", "scale", "shift"], ["normal", "mean"]),
      sum,
    ],
    weights: { weight: [4, 3], scale: [3], shift: [3] },
  });
}

describe("outputs beside the first", () => {
  test("are refused where the loss depends on them, naming node and output", () => {
    const build = () => buildTrainingGraph(normalized("read"), OPTIONS);
    expect(build).toThrowError(
      expect.objectContaining({
        code: "onnx/no-gradient",
        message: expect.stringMatching(/output 1 \("mean"\)/u),
      }),
    );
  });

  test("may be there unread", () => {
    expect(buildTrainingGraph(normalized("unread"), OPTIONS).spec.parameters).toHaveLength(3);
  });
});
