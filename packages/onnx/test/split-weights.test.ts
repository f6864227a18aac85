import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parameterCount, parameterSet, parameterView } from "@tributary/tensor";
import { describe, expect, test } from "vitest";
import { bindWeights } from "../src/bind.ts";
import { buildDigitsCnn, decodeModel, splitWeights } from "../src/index.ts";
import { dataCases, dataFolder } from "./support/data.ts";
import { floatsOf, ortNode } from "./support/engines.ts";

const models = dataFolder("onnx-models");
const digits = buildDigitsCnn({ seed: "split" });

describe("splitWeights and bindWeights", () => {
  test("the graph keeps no weights and names what it lacks", () => {
    const { graph, parameters } = splitWeights(digits);
    expect(parameters.schema.map(({ name }) => name)).toEqual([
      "conv1.weight",
      "conv1.bias",
      "conv2.weight",
      "conv2.bias",
      "fc1.weight",
      "fc1.bias",
      "fc2.weight",
      "fc2.bias",
    ]);
    expect(graph.length).toBeLessThan(2000);
    expect(decodeModel(graph).graph.initializers).toEqual([]);
    expect(decodeModel(graph).metadata.map(({ key }) => key)).toEqual(["tributary.parameters"]);
  });

  test("bound weights run as the model did, and other weights differently", async () => {
    const engine = await ortNode();
    const run = async (model: Uint8Array): Promise<Float32Array> => {
      const session = await engine.load(model);
      const image = Float32Array.from({ length: 784 }, (_, i) => (i % 29) / 29);
      const outputs = await session.run({ image: new engine.Tensor("float32", image, [1, 1, 28, 28]) });
      await session.release();
      return floatsOf(outputs["logits"]);
    };
    const { graph, parameters } = splitWeights(digits);
    expect(await run(bindWeights(graph, parameters))).toEqual(await run(digits));
    const zero = parameterSet(parameters.schema);
    parameterView(zero, "fc2.bias").fill(3);
    expect([...(await run(bindWeights(graph, zero)))]).toEqual(Array.from({ length: 10 }, () => 3));
  });

  test("splitting a bound model gives the same graph, byte for byte", () => {
    const { graph, parameters } = splitWeights(digits);
    const again = splitWeights(bindWeights(graph, parameters));
    expect(again.graph).toEqual(graph);
    expect(again.parameters).toEqual(parameters);
  });

  test("only the named parameters", () => {
    const { graph, parameters } = splitWeights(digits, ["fc2.weight", "fc2.bias"]);
    expect(parameters.schema.map(({ name }) => name)).toEqual(["fc2.weight", "fc2.bias"]);
    expect(decodeModel(graph).graph.initializers.length).toBe(6);
    expect(() => splitWeights(digits, ["fc3.weight"])).toThrowError(
      expect.objectContaining({ code: "onnx/nothing-trainable" }),
    );
  });

  test("parameters of another schema are refused", () => {
    const { graph, parameters } = splitWeights(digits);
    const renamed = parameterSet(
      parameters.schema.map(({ name, shape }) => ({ name: name.replace("fc", "dense"), shape })),
    );
    const fewer = parameterSet(parameters.schema.slice(1));
    for (const other of [renamed, fewer]) {
      expect(() => bindWeights(graph, other)).toThrowError(
        expect.objectContaining({ code: "tensor/schema-mismatch" }),
      );
    }
    expect(() => bindWeights(digits, parameters)).toThrowError(
      expect.objectContaining({ code: "onnx/invalid-model" }),
    );
  });

  test.skipIf(models === undefined)("published models come back with the same parameters", () => {
    let split = 0;
    for (const name of dataCases(models)) {
      const { graph, parameters } = splitWeights(readFileSync(join(models!, name, "model.onnx")));
      if (parameterCount(parameters.schema) === 0) continue;
      split += 1;
      const again = splitWeights(bindWeights(graph, parameters));
      expect(again.graph, name).toEqual(graph);
      expect(again.parameters.values, name).toEqual(parameters.values);
    }
    expect(split).toBeGreaterThan(5);
  });
});
