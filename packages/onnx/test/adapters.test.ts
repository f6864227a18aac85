import { parameterSet, parameterView, type ParameterSet } from "@tributary/tensor";
import { describe, expect, test } from "vitest";
import {
  addLowRankAdapters,
  bindWeights,
  build2nn,
  buildTrainingGraph,
  decodeModel,
  lowRankStep,
  lowRankTrainingModel,
  mergeLowRankAdapters,
  splitWeights,
} from "../src/index.ts";
import { ENGINES, floatsOf, ortNode, type TestEngine } from "./support/engines.ts";
import { modelOf, nodeOf, rows } from "./support/small-model.ts";
import { feedsOf, randomBatch } from "./support/training.ts";

/** Every operator that takes adapters: Conv plain, strided and in groups, MatMul, Gemm both ways round and scaled. */
const everyOperator = modelOf({
  input: [4, 6, 6],
  output: [3],
  nodes: [
    nodeOf("Conv", ["x", "plain", "plain.bias"], ["c1"], { pads: [1, 1, 1, 1] }),
    nodeOf("Conv", ["c1", "grouped"], ["c2"], { group: 2, strides: [2, 2] }),
    nodeOf("Tanh", ["c2"], ["t"]),
    nodeOf("Flatten", ["t"], ["flat"]),
    nodeOf("MatMul", ["flat", "product"], ["m"]),
    nodeOf("Gemm", ["m", "gemm", "gemm.bias"], ["g"], { alpha: { float: 0.5 } }),
    nodeOf("Gemm", ["g", "last", "last.bias"], ["y"], { transB: 1 }),
  ],
  weights: {
    plain: [6, 4, 3, 3],
    "plain.bias": [6],
    grouped: [4, 3, 2, 2],
    product: [36, 8],
    gemm: [8, 5],
    "gemm.bias": [5],
    last: [3, 5],
    "last.bias": [3],
  },
});
const TARGETS = ["plain", "grouped", "product", "gemm", "last"];

async function run(engine: TestEngine, model: Uint8Array): Promise<Float32Array> {
  const session = await engine.load(model);
  const outputs = await session.run({
    x: new engine.Tensor("float32", rows(2, 144, "x"), [2, 4, 6, 6]),
  });
  await session.release();
  return floatsOf(outputs["y"]);
}

function worst(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

describe.each(ENGINES)("adapters on %s", (_, open) => {
  test("begin without effect; merged they give what they gave beside the weights", async () => {
    const engine = await open();
    const { model, trainable } = addLowRankAdapters(everyOperator, { rank: 2, alpha: 3, freezeA: false });
    expect(trainable).toEqual(TARGETS.flatMap((name) => [`${name}.lora_a`, `${name}.lora_b`]));
    const plain = await run(engine, everyOperator);
    expect(worst(await run(engine, model), plain)).toBeLessThan(1e-6);

    const { graph, parameters } = splitWeights(model, trainable);
    for (const [i, value] of rows(1, parameters.values.length, "trained").entries()) {
      parameters.values[i] = value / 4;
    }
    const trained = bindWeights(graph, parameters);
    const beside = await run(engine, trained);
    expect(worst(beside, plain)).toBeGreaterThan(0.1);
    const merged = mergeLowRankAdapters(trained);
    expect(worst(await run(engine, merged), beside)).toBeLessThan(2e-5);
    const [before, after] = [everyOperator, merged].map((bytes) => decodeModel(bytes));
    expect(after!.graph.nodes).toEqual(before!.graph.nodes);
    expect(after!.graph.initializers.map(({ name }) => name)).toEqual(
      before!.graph.initializers.map(({ name }) => name),
    );
    expect(after!.metadata).toEqual(before!.metadata);
  });
});

describe("addLowRankAdapters", () => {
  test("trains and sends B alone, and learns", async () => {
    const engine = await ortNode();
    const { model, trainable } = addLowRankAdapters(build2nn({ seed: 1 }), { rank: 8 });
    expect(trainable).toEqual(["fc1.weight.lora_b", "fc2.weight.lora_b", "fc3.weight.lora_b"]);
    const { parameters } = splitWeights(model, trainable);
    expect(parameters.values.length).toBe(8 * (200 + 200 + 10));
    const options = { batchSize: 8, loss: "softmax-cross-entropy", optimizer: "sgd", target: "cpu" } as const;
    const { model: training, spec } = buildTrainingGraph(model, { ...options, trainable });
    expect(spec.parameters.map(({ name }) => name)).toEqual(trainable);
    const session = await engine.load(training);
    const feeds = feedsOf(engine, spec, randomBatch(spec, "batch"), parameters, 0.2);
    const losses: number[] = [];
    for (let step = 0; step < 60; step++) {
      const outputs = await session.run(feeds);
      losses.push(floatsOf(outputs[spec.lossSum])[0]!);
      for (const { input, output } of spec.parameters) feeds[input] = outputs[output]!;
    }
    await session.release();
    expect(losses.at(-1)).toBeLessThan(losses[0]! / 4);
  });

  test("takes names, globs and functions as targets, and cuts the rank to what a weight has", () => {
    const trained = (targets: NonNullable<Parameters<typeof addLowRankAdapters>[1]["targets"]>) =>
      addLowRankAdapters(everyOperator, { rank: 4, targets }).trainable;
    expect(trained(["gemm"])).toEqual(["gemm.lora_b"]);
    expect(trained(["g*", "last"])).toEqual(["grouped.lora_b", "gemm.lora_b", "last.lora_b"]);
    expect(trained((__, shape) => shape.length === 4)).toEqual(["plain.lora_b", "grouped.lora_b"]);
    const { model, trainable } = addLowRankAdapters(everyOperator, { rank: 4, targets: ["grouped"] });
    expect(splitWeights(model, trainable).parameters.schema).toEqual([
      { name: "grouped.lora_b", shape: [4, 2, 1, 1] },
    ]);
  });

  test("gives the same bytes for the same seed, other factors for another", () => {
    const [one, again, other] = [1, 1, 2].map(
      (seed) => addLowRankAdapters(everyOperator, { rank: 2, seed }).model,
    );
    expect(again).toEqual(one);
    expect(other).not.toEqual(one);
    const { parameters } = splitWeights(one!, ["gemm.lora_*"]);
    const a = parameterView(parameters, "gemm.lora_a");
    expect(a.every((value) => Math.abs(value) <= 1 / Math.sqrt(8))).toBe(true);
    expect(new Set(a).size).toBe(a.length);
  });

  test("refuses a target that is no such weight, a rank of 0, adapters on adapters", () => {
    const add = (options: Parameters<typeof addLowRankAdapters>[1], model: Uint8Array = everyOperator) =>
      addLowRankAdapters(model, options);
    expect(() => add({ rank: 2, targets: ["last.bias"] })).toThrowError(/last\.bias.*plain, grouped/u);
    expect(() => add({ rank: 0 })).toThrow(RangeError);
    expect(() => add({ rank: 1, alpha: -1 })).toThrow(RangeError);
    expect(() => add({ rank: 1 }, add({ rank: 1 }).model)).toThrowError(/merge them first/u);
    expect(() => mergeLowRankAdapters(everyOperator)).toThrowError(/no low-rank adapters/u);
    const { model, trainable } = add({ rank: 1 });
    expect(() => mergeLowRankAdapters(splitWeights(model, trainable).graph)).toThrowError(
      /bind its weights/u,
    );
  });
});

describe("lowRankStep", () => {
  const wave = (length: number, phase: number) =>
    Float32Array.from({ length }, (_, i) => Math.sin(i + phase) / 4);

  test.each([true, false])("gives the weights that merging gives, freezeA %s", (freezeA) => {
    const options = { rank: 2, alpha: 3, freezeA, seed: "plan 1" };
    const { model, trainable } = addLowRankAdapters(everyOperator, options);
    const start = splitWeights(model, trainable);
    const step = parameterSet(start.parameters.schema, wave(start.parameters.values.length, 1));
    const trained = parameterSet(
      start.parameters.schema,
      start.parameters.values.map((value, i) => value + step.values[i]!),
    );
    const merged = splitWeights(mergeLowRankAdapters(bindWeights(start.graph, trained))).parameters;
    const { parameters } = splitWeights(everyOperator);
    const folded = lowRankStep(everyOperator, options, step);
    expect(folded.schema.map(({ name }) => name)).toEqual(TARGETS);
    for (const { name } of folded.schema) {
      const change = parameterView(folded, name);
      const after = parameterView(parameters, name).map((value, i) => value + change[i]!);
      expect(worst(after, parameterView(merged, name))).toBeLessThan(1e-6);
      expect(worst(change, new Float32Array(change.length))).toBeGreaterThan(0.01);
    }
  });

  test("a model for rounds begins at zero in all it trains, and its step is the trained adapters' own", async () => {
    const engine = await ortNode();
    const options = { rank: 2, alpha: 3, freezeA: false };
    const { trainable, model } = lowRankTrainingModel(everyOperator, options);
    const zero = splitWeights(model, trainable).parameters;
    expect(zero.values.every((value) => value === 0)).toBe(true);
    const training = {
      batchSize: 3,
      loss: "softmax-cross-entropy",
      optimizer: "sgd",
      target: "cpu",
    } as const;
    const trained = async (bytes: Uint8Array): Promise<ParameterSet> => {
      const { parameters } = splitWeights(bytes, trainable);
      const { model: graph, spec } = buildTrainingGraph(bytes, { ...training, trainable });
      const session = await engine.load(graph);
      const feeds = feedsOf(engine, spec, randomBatch(spec, "same"), parameters, 0.1);
      for (let i = 0; i < 4; i++) {
        const outputs = await session.run(feeds);
        for (const { input, output } of spec.parameters) feeds[input] = outputs[output]!;
      }
      await session.release();
      const values = spec.parameters.flatMap(({ input }) => [...floatsOf(feeds[input])]);
      return parameterSet(parameters.schema, Float32Array.from(values));
    };
    const direct = addLowRankAdapters(everyOperator, options).model;
    const { parameters: start } = splitWeights(direct, trainable);
    const after = await trained(direct);
    const step = await trained(model);
    expect(
      worst(
        after.values.map((value, i) => value - start.values[i]!),
        step.values,
      ),
    ).toBeLessThan(1e-5);
    expect(worst(step.values, zero.values)).toBeGreaterThan(0.01);
  });
});
