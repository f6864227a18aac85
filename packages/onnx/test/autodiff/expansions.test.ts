import { beforeAll, describe, expect, test } from "vitest";
import { encodeModel } from "../../src/index.ts";
import { attributesOf } from "../../src/ir/attributes.ts";
import { EXPANSIONS } from "../../src/autodiff/rules/expansion.ts";
import { int32Tensor } from "../../src/ir/tensor-value.ts";
import { floatsOf, ortNode, type TestEngine } from "../support/engines.ts";
import { buildCase, CASES, relativeError } from "../support/rule-cases.ts";
import { interpret } from "../support/reference.ts";

// What is written out is compared with the interpreter elsewhere; here the interpreter with onnxruntime's own kernel,
// which has no layout 1.
const RULES = CASES.filter(
  ({ op, attributes = {} }) => Object.hasOwn(EXPANSIONS, op) && !("layout" in attributes),
);

describe("operators that train written out", () => {
  let engine: TestEngine;
  beforeAll(async () => {
    engine = await ortNode();
  });

  test.each(RULES.map((rule) => [`${rule.op} ${rule.label}`, rule] as const))("%s", async (_, rule) => {
    const { node, values, constants } = buildCase(rule, "cpu");
    const session = await engine.load(
      encodeModel({
        irVersion: 8,
        producerName: "",
        producerVersion: "",
        domain: "",
        modelVersion: 0,
        opsetImports: [{ domain: "", version: rule.opset ?? 18 }],
        metadata: [],
        graph: {
          name: "single",
          nodes: [{ ...node, attributes: attributesOf(rule.attributes ?? {}) }],
          initializers: [...constants].map(([name, { shape, data }]) => int32Tensor(name, shape, [...data])),
          inputs: [...values].map(([name, { shape }]) => ({ name, elementType: "float32", shape })),
          outputs: node.outputs.map((name) => ({ name, elementType: "float32", shape: undefined })),
          valueInfo: [],
        },
      }),
    );
    const feeds = [...values].map(([name, { shape, data }]) => [
      name,
      new engine.Tensor("float32", Float32Array.from(data), shape),
    ]);
    const outputs = await session.run(Object.fromEntries(feeds));
    await session.release();
    const reference = interpret([node], new Map([...values, ...constants]));
    for (const name of node.outputs) {
      expect(relativeError(floatsOf(outputs[name]), reference.get(name)!.data), name).toBeLessThan(1e-6);
    }
  });
});
