import { codeOf } from "@tributary/core/testing";
import { expect, describe, test } from "vitest";
import { decodeModel } from "../../src/ir/decode.ts";
import { encodeModel } from "../../src/ir/encode.ts";
import type { FunctionProto, ModelProto, NodeProto } from "../../src/proto/onnx-messages.ts";
import { ModelSpec } from "../../src/proto/onnx-messages.ts";
import { writeMessage } from "../../src/proto/write-message.ts";
import { floatsOf, ortNode } from "../support/engines.ts";

const shape = { dims: [{ value: 3 }] };
const type = { tensorType: { elementType: 1, shape } };

/** x [3] to y [3] by the given nodes and functions. */
function file(nodes: NodeProto[], functions: FunctionProto[], more: ModelProto = {}): Uint8Array {
  return writeMessage(ModelSpec, {
    irVersion: 8,
    opsetImports: [
      { domain: "", version: 17 },
      { domain: "local", version: 1 },
    ],
    graph: { name: "g", nodes, inputs: [{ name: "x", type }], outputs: [{ name: "y", type }] },
    functions,
    ...more,
  });
}

const call = (opType: string, inputs: string[], outputs: string[], more: NodeProto = {}): NodeProto => ({
  opType,
  domain: "local",
  inputs,
  outputs,
  ...more,
});
const opsetImports = [{ domain: "", version: 17 }];
/** out = LeakyRelu(in, slope) + in, the slope 0.5 where the call names none. */
const leaky: FunctionProto = {
  name: "Leaky",
  domain: "local",
  inputs: ["in"],
  outputs: ["out"],
  opsetImports,
  defaults: [{ name: "slope", type: 1, f: 0.5 }],
  nodes: [
    {
      opType: "LeakyRelu",
      inputs: ["in"],
      outputs: ["t"],
      attributes: [{ name: "alpha", type: 1, refAttrName: "slope" }],
    },
    { opType: "Add", inputs: ["t", "in"], outputs: ["out"] },
  ],
};
const twice: FunctionProto = {
  name: "Twice",
  domain: "local",
  inputs: ["in"],
  outputs: ["out"],
  opsetImports: [...opsetImports, { domain: "local", version: 1 }],
  nodes: [
    call("Leaky", ["in"], ["t"], { attributes: [{ name: "slope", type: 1, f: 0.25 }] }),
    call("Leaky", ["t"], ["out"]),
  ],
};

describe("functions of a model", () => {
  test("are replaced by their nodes, nested calls and default attributes included", async () => {
    const model = decodeModel(
      file([call("Twice", ["x"], ["m"]), call("Twice", ["m"], ["y"])], [leaky, twice]),
    );
    expect(model.graph.nodes.map(({ opType }) => opType)).toEqual(
      Array.from({ length: 4 }, () => ["LeakyRelu", "Add"]).flat(),
    );
    const engine = await ortNode();
    const session = await engine.load(encodeModel(model));
    const input = new engine.Tensor("float32", Float32Array.of(-1, 0, 2), [3]);
    const { y } = await session.run({ x: input });
    await session.release();
    // A negative value grows by 1.25, then 1.5, twice; a positive one by 2 four times.
    expect([...floatsOf(y)]).toEqual([-1 * (1.25 * 1.5) ** 2, 0, 32]);
  });

  test("the written file gives what onnxruntime makes of the functions themselves", async () => {
    const bytes = file([call("Twice", ["x"], ["y"], { name: "y" })], [leaky, twice]);
    const engine = await ortNode();
    const input = new engine.Tensor("float32", Float32Array.of(-3, 0.5, 2), [3]);
    const results: number[][] = [];
    for (const each of [bytes, encodeModel(decodeModel(bytes))]) {
      const session = await engine.load(each);
      results.push([...floatsOf((await session.run({ x: input }))["y"])]);
      await session.release();
    }
    expect(results[1]).toEqual(results[0]);
  });

  const loop: FunctionProto = { ...twice, name: "Loop", nodes: [call("Loop", ["in"], ["out"])] };
  /** Every function calls the one before it ten times. */
  const bomb = Array.from({ length: 9 }, (_, level): FunctionProto => ({
    ...leaky,
    name: `F${level}`,
    nodes: Array.from({ length: 10 }, (_, i) =>
      level === 0
        ? { opType: "Relu", inputs: ["in"], outputs: [`t${i}`] }
        : call(`F${level - 1}`, ["in"], [`t${i}`]),
    ),
  }));
  test.each([
    ["a function that calls itself", file([call("Loop", ["x"], ["y"])], [loop]), "onnx/invalid-model"],
    ["functions that unfold to 10^9 nodes", file([call("F8", ["x"], ["y"])], bomb), "onnx/too-large"],
    ["two functions of one name", file([call("Leaky", ["x"], ["y"])], [leaky, leaky]), "onnx/invalid-model"],
    ["too many inputs", file([call("Leaky", ["x", "x"], ["y"])], [leaky]), "onnx/invalid-model"],
    [
      "another operator set",
      file([call("Leaky", ["x"], ["y"])], [{ ...leaky, opsetImports: [{ domain: "", version: 12 }] }]),
      "onnx/unsupported-opset",
    ],
    ["an attribute reference outside of a function", file([leaky.nodes![0]!], []), "onnx/invalid-model"],
  ])("%s", (_, bytes, code) => {
    expect(codeOf(() => decodeModel(bytes))).toBe(code);
  });
});
