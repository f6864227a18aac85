import { describe, expect, test } from "vitest";
import {
  build2nn,
  buildFedAvgCnn,
  buildMicroBatches,
  buildTrainingGraph,
  type MicroBatchGraphs,
  type TrainingGraphOptions,
} from "../../src/index.ts";
import { modelOf, nodeOf } from "../support/small-model.ts";

const options = {
  batchSize: 32,
  loss: "softmax-cross-entropy",
  optimizer: "sgd",
  target: "cpu",
} satisfies TrainingGraphOptions;

function cut(model: Uint8Array, changes: Partial<TrainingGraphOptions> = {}, stepMs?: number) {
  const own: TrainingGraphOptions = { ...options, ...changes };
  const whole = buildTrainingGraph(model, own);
  return buildMicroBatches(model, own, stepMs === undefined ? whole : { ...whole, stepMs });
}

const layers = (...nodes: ReturnType<typeof nodeOf>[]) =>
  modelOf({
    input: [4],
    output: [3],
    nodes: [nodeOf("MatMul", ["x", "first"], ["hidden"]), ...nodes],
    weights: { first: [4, 5], scale: [5], shift: [5], mean: [5], variance: [5], last: [5, 3] },
  });
const normalized = layers(
  nodeOf("BatchNormalization", ["hidden", "scale", "shift", "mean", "variance"], ["normal"]),
  nodeOf("MatMul", ["normal", "last"], ["logits"]),
);

describe("micro-batches", () => {
  test("of a convolutional network are halves down to one example, and one step of its optimizer", () => {
    const { parts, spec, step } = cut(buildFedAvgCnn({ seed: 1 }), { optimizer: "adam" }) as MicroBatchGraphs;
    expect(parts.map(({ batchSize }) => batchSize)).toEqual([16, 8, 4, 2, 1]);
    expect(spec.features.shape).toEqual([1, 1, 28, 28]);
    expect(step.spec.gradients).toHaveLength(spec.parameters.length);
    expect(step.spec.state).toHaveLength(2 * spec.parameters.length + 2);
    // The weights are fed: what a device downloads of them is small.
    expect(parts.reduce((sum, { model }) => sum + model.length, step.model.length)).toBeLessThan(100_000);
  });

  test("a short step is left whole", () => {
    expect(cut(build2nn({ seed: 1 }))).toBe("short");
    expect(cut(buildFedAvgCnn({ seed: 1 }), { batchSize: 1 })).toBe("short");
  });

  test("what no sum of parts gives is left whole, and says why", () => {
    const statistics = { trainable: ["first", "scale", "shift", "mean", "variance", "last"] };
    expect(cut(normalized, statistics, 100)).toBe("batch-statistics");
    // Running statistics that stay as they are make no example depend on another.
    expect(cut(normalized, { trainable: ["first", "last"] }, 100)).toMatchObject({ step: {} });
    const weighted = { kind: "softmax-cross-entropy", classWeights: [1, 2, 3] } as const;
    expect(cut(normalized, { trainable: ["last"], loss: weighted }, 100)).toBe("class-weights");
    const own: TrainingGraphOptions = { ...options, trainable: ["last"] };
    const whole = { ...buildTrainingGraph(normalized, own), stepMs: 100 };
    const graph = { kind: "graph", graph: new Uint8Array() } as const;
    expect(buildMicroBatches(normalized, { ...own, loss: graph }, whole)).toBe("loss-graph");
    const [mask] = [{ input: "mask", shape: [5], ratio: 0.5 }];
    const masked = { ...whole, spec: { ...whole.spec, dropouts: [mask!] } };
    expect(buildMicroBatches(normalized, own, masked)).toBe("dropout");
  });
});
