import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { buildDigitsCnn, buildFedAvgCnn, decodeModel, inferShapes } from "../../src/index.ts";
import type { Model } from "../../src/index.ts";
import { SHAPE_RULES } from "../../src/ir/shape-rules/index.ts";
import { opsetOf } from "../../src/ir/upgrade.ts";
import { dataCases, dataFolder } from "../support/data.ts";

const nodeTests = dataFolder("onnx-node-tests");
const models = dataFolder("onnx-models");

describe("shape inference", () => {
  test("carries a symbolic batch through a CNN", () => {
    const facts = inferShapes(decodeModel(buildFedAvgCnn({ seed: 1 })));
    expect(facts.get("/conv1/Conv_output_0")!.shape).toEqual(["batch", 32, 28, 28]);
    expect(facts.get("/pool2/MaxPool_output_0")!.shape).toEqual(["batch", 64, 7, 7]);
    expect(facts.get("/flatten/Flatten_output_0")!.shape).toEqual(["batch", 3136]);
    expect(facts.get("logits")!.shape).toEqual(["batch", 10]);
  });

  test("takes given input shapes", () => {
    const model = decodeModel(buildDigitsCnn({ seed: 1 }));
    expect(inferShapes(model, { image: [7, 1, 28, 28] }).get("logits")!.shape).toEqual([7, 10]);
    expect(() => inferShapes(model, { image: [7, 3, 28, 28] })).toThrowError(
      expect.objectContaining({ code: "onnx/shape-mismatch" }),
    );
  });

  // The declared output shapes of the ONNX operator tests are the expected values.
  test.skipIf(nodeTests === undefined)("agrees with the ONNX operator tests", () => {
    const folder = join(nodeTests!, "node");
    const checked = new Set<string>();
    for (const name of dataCases(folder)) {
      if (!existsSync(join(folder, name, "model.onnx"))) continue;
      const model = decodeModel(readFileSync(join(folder, name, "model.onnx")));
      if (opsetOf(model) < 13 || !model.graph.nodes.every(({ opType }) => opType in SHAPE_RULES)) continue;
      const facts = inferShapes(withoutDeclarations(model));
      for (const { name: output, shape, elementType } of model.graph.outputs) {
        const fact = facts.get(output);
        // What cannot be told is left open; what is told must be right.
        if (fact?.shape === undefined || shape === undefined) continue;
        const told = fact.shape.map((dim, i) => (typeof dim === "number" ? dim : shape[i]));
        expect(told, `${name} ${output}`).toEqual(shape);
        expect(fact.elementType, `${name} ${output}`).toBe(elementType);
        for (const { opType } of model.graph.nodes) checked.add(opType);
      }
    }
    expect(checked.size).toBeGreaterThan(60);
  });

  test.skipIf(models === undefined)("agrees with the declared outputs of published models", () => {
    for (const name of dataCases(models)) {
      const model = decodeModel(readFileSync(join(models!, name, "model.onnx")));
      const facts = inferShapes(withoutDeclarations(model));
      for (const { name: output, shape } of model.graph.outputs) {
        const fact = facts.get(output);
        if (fact?.shape === undefined || shape === undefined) continue;
        for (const [i, dim] of fact.shape.entries()) {
          if (typeof dim === "number" && typeof shape[i] === "number")
            expect(dim, `${name} ${output}`).toBe(shape[i]);
        }
      }
    }
  });
});

/** Without value_info and output shapes, which inference would otherwise fall back on. */
function withoutDeclarations(model: Model): Model {
  const { graph } = model;
  const outputs = graph.outputs.map((info) => ({ ...info, shape: undefined }));
  return { ...model, graph: { ...graph, outputs, valueInfo: [] } };
}
