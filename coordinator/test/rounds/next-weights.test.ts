import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import { seededRandom } from "@tributary/core";
import {
  addLowRankAdapters,
  bindWeights,
  buildTrainingGraph,
  lowRankTrainingModel,
  mergeLowRankAdapters,
  splitWeights,
  type TrainingGraph,
} from "@tributary/onnx";
import type { Plan } from "@tributary/protocol";
import { parameterSet, parameterView, tensor, type ParameterSet, type Tensor } from "@tributary/tensor";
import { expect, test } from "vitest";
import { nextWeights, optimizedWeights } from "@tributary/federation/aggregation";
import { smallClassifier } from "./small-classifier.ts";

const [INPUTS, BATCH, CLASSES] = [5, 6, 3];
const ADAPTERS = { targets: ["*"], rank: 2, alpha: 3, freezeA: true, seed: "task 1" };
const OPTIONS = { batchSize: BATCH, loss: "softmax-cross-entropy", optimizer: "sgd", target: "cpu" } as const;

type Engine = Awaited<ReturnType<typeof createOrtNodeEngine>>;

/** Three steps of descent on a device's batch, from and to what the graph trains; frozen inputs as in `weights`. */
async function descend(
  engine: Engine,
  { model, spec }: TrainingGraph,
  device: number,
  { start, weights }: { readonly start: ParameterSet; readonly weights?: ParameterSet },
): Promise<ParameterSet> {
  const random = seededRandom(`device ${device}`);
  const x = Float32Array.from({ length: BATCH * INPUTS }, () => random.normal() + device);
  const labels = Int32Array.from({ length: BATCH }, (_, i) => (i + device) % CLASSES);
  const feeds: Record<string, Tensor> = {
    [spec.features.name]: tensor("float32", [BATCH, INPUTS], x),
    [spec.labels.name]: tensor("int32", [BATCH], labels),
    [spec.sampleWeights.name]: tensor("float32", [BATCH], new Float32Array(BATCH).fill(1)),
    [spec.learningRate.name]: tensor("float32", [], Float32Array.of(0.3)),
  };
  for (const { name, input, shape } of spec.frozen ?? [])
    feeds[input] = tensor("float32", [...shape], parameterView(weights!, name));
  for (const { name, input, shape } of spec.parameters)
    feeds[input] = tensor("float32", [...shape], parameterView(start, name));
  const session = await engine.load(model);
  for (let step = 0; step < 3; step++) {
    const outputs = await session.run(feeds);
    for (const { input, output } of spec.parameters) feeds[input] = outputs[output]!;
  }
  await session[Symbol.asyncDispose]();
  const trained = parameterSet(start.schema);
  for (const { name, input } of spec.parameters)
    parameterView(trained, name).set(feeds[input]!.data as Float32Array);
  return trained;
}

/** Of devices with 1 and 2 shares. */
const meanOf = ([a, b]: readonly ParameterSet[]): ParameterSet =>
  parameterSet(
    a!.schema,
    a!.values.map((value, i) => (value + 2 * b!.values[i]!) / 3),
  );

test("rounds of adapters that begin at zero and are folded into the weights are FFA-LoRA: averaging the adapters themselves", async () => {
  const engine = await createOrtNodeEngine();
  const model = smallClassifier();
  // The adapters directly: B goes from round to round, the weights stay.
  const adapted = addLowRankAdapters(model, ADAPTERS);
  const direct = buildTrainingGraph(adapted.model, { ...OPTIONS, trainable: adapted.trainable });
  const split = splitWeights(adapted.model, adapted.trainable);
  let b = split.parameters;

  // As rounds do it: the weights go from round to round, B begins at zero.
  const published = splitWeights(model);
  const form = lowRankTrainingModel(model, ADAPTERS);
  const graph = buildTrainingGraph(form.model, {
    ...OPTIONS,
    trainable: form.trainable,
    frozenInputs: published.parameters.schema.map(({ name }) => name),
  });
  const tensors = graph.spec.parameters.map(({ name, shape }) => ({ name, shape, role: "weight" as const }));
  const plan = {
    parameters: published.parameters.schema,
    update: { tensors, maxStatisticChange: 1 },
    adapters: ADAPTERS,
  } as unknown as Plan;
  let weights = published.parameters;

  for (let round = 0; round < 4; round++) {
    const before = b;
    b = meanOf(await Promise.all([0, 1].map((i) => descend(engine, direct, i, { start: before }))));
    const start = optimizedWeights(plan, weights);
    expect(start.values.every((value) => value === 0)).toBe(true);
    const base = weights;
    const step = meanOf(
      await Promise.all([0, 1].map((i) => descend(engine, graph, i, { start, weights: base }))),
    );
    const next = await nextWeights({
      plan,
      base,
      step,
      statistics: new Float64Array(0),
      model: async () => bindWeights(published.graph, base),
    });
    weights = next.weights;
  }
  await engine.close();
  const merged = splitWeights(mergeLowRankAdapters(bindWeights(split.graph, b))).parameters;
  for (const { name } of published.parameters.schema) {
    const [got, want, from] = [weights, merged, published.parameters].map((set) => [
      ...parameterView(set, name),
    ]);
    for (const [i, value] of got!.entries()) expect(value).toBeCloseTo(want![i]!, 5);
    if (name.endsWith("weight"))
      expect(got!.some((value, i) => Math.abs(value - from![i]!) > 0.05)).toBe(true);
  }
});

test("a step moves the weights it names, statistics by their mean, and no variance below zero; the rest keeps its bits", async () => {
  const schema = ["frozen", "weight", "mean", "variance"].map((name) => ({ name, shape: [2] }));
  const base = parameterSet(schema, Float32Array.of(-0, 0.1, 1, 2, 3, 4, 0.5, 0.5));
  const plan = {
    parameters: schema,
    update: {
      tensors: [
        { name: "weight", shape: [2], role: "weight" },
        { name: "mean", shape: [2], role: "statistic" },
        { name: "variance", shape: [2], role: "statistic", minimum: 0 },
      ],
      maxStatisticChange: 1,
    },
  } as unknown as Plan;
  const optimized = optimizedWeights(plan, base);
  expect([...optimized.values]).toEqual([1, 2]);
  const { weights: next } = await nextWeights({
    plan,
    base,
    step: parameterSet(optimized.schema, Float32Array.of(10, -10)),
    statistics: Float64Array.of(-7, 1, -0.500001, 0.25),
    model: () => Promise.reject(new Error("no adapters, no model")),
  });
  expect([...next.values]).toEqual([-0, Math.fround(0.1), 11, -8, -4, 5, 0, 0.75]);
  expect(base.values.slice(2)).toEqual(Float32Array.of(1, 2, 3, 4, 0.5, 0.5));
});
