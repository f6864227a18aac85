import { beforeAll, describe, expect, test } from "vitest";
import { decodeModel, encodeModel, type Model } from "../../src/index.ts";
import { attributesOf, type AttributeLiteral } from "../../src/ir/attributes.ts";
import { COMMON_OPSET, opsetOf, upgradeModel } from "../../src/ir/upgrade.ts";
import { floatsOf, ortNode, type TestEngine } from "../support/engines.ts";

function single(
  opType: string,
  opset: number,
  attributes: Readonly<Record<string, AttributeLiteral>>,
  shape: readonly number[],
): Model {
  return {
    irVersion: 6,
    producerName: "",
    producerVersion: "",
    domain: "",
    modelVersion: 0,
    opsetImports: [{ domain: "", version: opset }],
    metadata: [],
    graph: {
      name: "single",
      nodes: [
        { name: "", domain: "", opType, inputs: ["x"], outputs: ["y"], attributes: attributesOf(attributes) },
      ],
      initializers: [],
      inputs: [{ name: "x", elementType: "float32", shape }],
      outputs: [{ name: "y", elementType: "float32", shape: undefined }],
      valueInfo: [],
    },
  };
}

type Case = [string, number, Readonly<Record<string, AttributeLiteral>>, readonly number[]];
const CASES: Case[] = [
  ["Squeeze", 11, { axes: [1] }, [2, 1, 3]],
  ["Unsqueeze", 11, { axes: [0, 2] }, [2, 3]],
  ["ReduceSum", 11, { axes: [1], keepdims: 0 }, [2, 3, 2]],
  ["ReduceMean", 17, { axes: [0, 2] }, [2, 3, 2]],
  ["ReduceMax", 12, { axes: [-1] }, [2, 3, 2]],
  ["ReduceMean", 9, {}, [2, 3]],
  ["Clip", 9, { min: { float: -0.5 }, max: { float: 0.5 } }, [2, 3]],
  ["Clip", 9, { max: { float: 0.25 } }, [2, 3]],
  ["Pad", 9, { pads: [0, 1, 1, 0], value: { float: 7 } }, [2, 3]],
  ["Slice", 9, { starts: [1], ends: [3], axes: [1] }, [2, 4]],
  ["Slice", 9, { starts: [0, -2], ends: [1, 100] }, [2, 4]],
  ["Softmax", 9, {}, [2, 4]],
  ["Softmax", 11, { axis: 2 }, [2, 3, 4]],
  ["LogSoftmax", 9, { axis: 1 }, [2, 4]],
  ["Dropout", 9, { ratio: { float: 0.3 } }, [2, 3]],
];

describe("upgradeModel", () => {
  let engine: TestEngine;
  beforeAll(async () => {
    engine = await ortNode();
  });

  test.each(CASES)("%s of operator set %i computes the same", async (opType, opset, attributes, shape) => {
    const old = single(opType, opset, attributes, shape);
    const upgraded = upgradeModel(old);
    expect(opsetOf(upgraded)).toBe(COMMON_OPSET);
    const count = shape.reduce((product, dim) => product * dim, 1);
    const x = Float32Array.from({ length: count }, (_, i) => Math.sin(3 * i + 1));
    const run = async (model: Model) => {
      const session = await engine.load(encodeModel(model));
      const { y } = await session.run({ x: new engine.Tensor("float32", x, shape) });
      await session.release();
      return { dims: y!.dims, values: floatsOf(y) };
    };
    expect(await run(upgraded)).toEqual(await run(old));
  });

  test("leaves newer models as they are", () => {
    const model = single("Relu", 20, {}, [2]);
    expect(upgradeModel(model)).toBe(model);
  });

  test("refuses a softmax over several axes, which has no one-operator form", () => {
    expect(() => upgradeModel(single("Softmax", 9, {}, [2, 3, 4]))).toThrowError(
      expect.objectContaining({ code: "onnx/unsupported-attribute" }),
    );
  });

  test("written models keep their operator set", () => {
    expect(opsetOf(decodeModel(encodeModel(single("Relu", 15, {}, [2]))))).toBe(15);
  });
});
