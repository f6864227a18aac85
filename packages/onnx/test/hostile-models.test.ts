import { TributaryError } from "@tributary/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  buildDigitsCnn,
  decodeModel,
  describeModel,
  encodeModel,
  splitWeights,
  type Model,
} from "../src/index.ts";

/** The CNN with weights of a few bytes: most of the file is structure. */
function skeleton(): Uint8Array {
  const model: Model = decodeModel(buildDigitsCnn({ seed: "fuzz" }));
  const { graph } = model;
  const initializers = graph.initializers.map((tensor) => ({
    ...tensor,
    data: new Uint8Array(0),
    dims: [0],
  }));
  return encodeModel({ ...model, graph: { ...graph, initializers } });
}

/** Whatever the file says: a result or a coded error, and soon. */
function expectHandled(bytes: Uint8Array): void {
  for (const read of [describeModel, splitWeights]) {
    try {
      read(bytes);
    } catch (error) {
      if (!TributaryError.is(error)) throw error;
      expect(error.code).toMatch(/^(onnx|tensor)\//u);
    }
  }
}

describe("models from anyone", () => {
  const whole = buildDigitsCnn({ seed: "fuzz" });
  // Structure lies before and behind the weights, not within.
  const structure = [...Array(1200).keys()];
  const ends = [...structure, ...structure.map((i) => whole.length - 1 - i)];

  test("one changed byte of a real model", () => {
    fc.assert(
      fc.property(fc.constantFrom(...ends), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        expectHandled(whole.with(at, whole[at]! ^ mask));
      }),
      { seed: 17, numRuns: 400 },
    );
  });

  test("several changed bytes of a model without weights", () => {
    const bytes = skeleton();
    const change = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const changed = bytes.slice();
        for (const [at, value] of changes) changed[at] = value;
        expectHandled(changed);
      }),
      { seed: 19, numRuns: 1500 },
    );
  });

  /** The CNN with one attribute or size replaced by something enormous. */
  function enormous(change: (model: Model) => Model): Uint8Array {
    return encodeModel(change(decodeModel(whole)));
  }
  const huge = 2 ** 40;
  const attribute = (opType: string, name: string, value: readonly bigint[]) => (model: Model) => ({
    ...model,
    graph: {
      ...model.graph,
      nodes: model.graph.nodes.map((node) =>
        node.opType === opType
          ? { ...node, attributes: new Map([...node.attributes, [name, { type: "ints" as const, value }]]) }
          : node,
      ),
    },
  });
  const cases: [string, (model: Model) => Model][] = [
    ["a kernel", attribute("MaxPool", "kernel_shape", [BigInt(huge), 2n])],
    ["a large kernel that fits", attribute("MaxPool", "pads", [60_000n, 60_000n, 60_000n, 60_000n])],
    ["strides", attribute("MaxPool", "strides", [BigInt(huge), 1n])],
    ["pads", attribute("Conv", "pads", [BigInt(huge), 0n, 0n, 0n])],
    ["dilations", attribute("Conv", "dilations", [BigInt(huge), 1n])],
    [
      "an image",
      (model) => ({
        ...model,
        graph: {
          ...model.graph,
          inputs: [{ name: "image", elementType: "float32", shape: ["n", 1, huge, huge] }],
        },
      }),
    ],
  ];
  test.each(cases)("%s beyond all measure", (_, change) => {
    const bytes = enormous(change);
    expectHandled(bytes);
    expect(describeModel(bytes).trainable).toBe(false);
  });
});
