import { describe, expect, test } from "vitest";
import {
  addLowRankAdapters,
  build2nn,
  buildTrainingGraph,
  decodeModel,
  describeModel,
  fittingLoss,
  splitWeights,
} from "../../src/index.ts";
import { affineModel } from "../support/small-model.ts";

describe("fittingLoss", () => {
  test.each([
    ["logits of classes", affineModel(4, 3), "softmax-cross-entropy"],
    ["a softmax", affineModel(4, 3, "Softmax"), "softmax-cross-entropy"],
    ["yes-or-no outputs", affineModel(4, 3, "Sigmoid"), "sigmoid-cross-entropy"],
    ["one number", affineModel(4, 1), "mse"],
  ] as const)("of %s", (_, model, expected) => {
    expect(fittingLoss(model)).toBe(expected);
    expect(describeModel(model)).toMatchObject({ loss: expected, trainable: true, reasons: [] });
  });
});

describe("training graphs", () => {
  const options = { batchSize: 2, loss: "mse", optimizer: "sgd", target: "cpu" } as const;

  test("say where there are no hits", () => {
    expect(buildTrainingGraph(affineModel(4, 1), options).spec.noHits).toBe(true);
    const classifier = buildTrainingGraph(affineModel(4, 3), { ...options, loss: "softmax-cross-entropy" });
    expect(classifier.spec.noHits).toBeUndefined();
  });

  test("take frozen parameters as inputs where their values change from run to run", () => {
    const { spec, model } = buildTrainingGraph(build2nn({ seed: 1 }), {
      ...options,
      loss: "softmax-cross-entropy",
      trainable: ["fc3.*"],
      frozenInputs: ["*"],
      loopSteps: 4,
    });
    const frozen = ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"];
    expect(spec.frozen?.map(({ name }) => name)).toEqual(frozen);
    expect(spec.parameters.map(({ name }) => name)).toEqual(["fc3.weight", "fc3.bias"]);
    const { graph } = decodeModel(model);
    expect(graph.inputs.map(({ name }) => name)).toEqual(expect.arrayContaining(frozen));
    expect(graph.initializers.filter(({ name }) => frozen.includes(name))).toEqual([]);
    expect(model.length).toBeLessThan(20_000);
  });

  test("of a model with adapters train those alone", () => {
    const { model, trainable } = addLowRankAdapters(build2nn({ seed: 1 }), { rank: 2 });
    const { spec } = buildTrainingGraph(model, { ...options, loss: "softmax-cross-entropy" });
    expect(spec.parameters.map(({ name }) => name)).toEqual(trainable);
    expect(splitWeights(model).parameters.schema.map(({ name }) => name)).toEqual(trainable);
  });
});
