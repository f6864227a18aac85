import { seededRandom } from "@tributary/core";
import type { GraphPort, TrainingGraphDocument } from "@tributary/protocol";
import { describe, expect, test } from "vitest";
import { exampleRuns, type LabelledValues } from "../src/batches.ts";

const port = (name: string, dtype: GraphPort["dtype"], shape: readonly number[]): GraphPort => ({
  name,
  dtype,
  shape,
});

/** Batches of 3 examples of one number each. */
function graph(changes: Partial<TrainingGraphDocument> = {}): TrainingGraphDocument {
  return {
    kind: "train",
    batchSize: 3,
    features: port("x", "float32", [3, 1]),
    labels: port("labels", "int32", [3]),
    sampleWeights: port("weights", "float32", [3]),
    learningRate: port("rate", "float32", []),
    parameters: [{ name: "w", shape: [1], input: "w", output: "w2" }],
    lossSum: "loss",
    correct: "correct",
    ...changes,
  };
}

const seven = Array.from({ length: 7 }, (_, label): LabelledValues => ({
  inputs: [Float32Array.of(label / 10)],
  label,
}));
const order = seededRandom(1).shuffle([0, 1, 2, 3, 4, 5, 6]);
const runs = (changes: Partial<TrainingGraphDocument>, examples = seven, maxSteps?: number) => [
  ...exampleRuns(graph(changes), (index) => examples[index]!, examples.length === 1 ? [0] : order, maxSteps),
];

describe("runs of examples", () => {
  test("hold every example once; what fills up the last batch repeats some with weight 0", () => {
    const all = runs({});
    expect(all.map(({ count, steps }) => [count, steps])).toEqual([
      [3, 1],
      [3, 1],
      [1, 1],
    ]);
    const { weights, x, labels } = all[2]!.feeds;
    expect([...weights!.data]).toEqual([1, 0, 0]);
    // Zeros may be no input at all: a mean over an empty mask is not a number.
    for (const repeated of [x!, labels!]) expect(new Set(repeated.data as Float32Array).size).toBe(1);
    expect(x!.data[0]).toBeCloseTo(Number(labels!.data[0]) / 10);
    const seen = all.flatMap(({ feeds, count }) => [...feeds["labels"]!.data].slice(0, count));
    expect(seen.toSorted((a, b) => Number(a) - Number(b))).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  const looped: Partial<TrainingGraphDocument> = {
    features: port("x", "float32", [2, 3, 1]),
    labels: port("labels", "int32", [2, 3]),
    sampleWeights: port("weights", "float32", [2, 3]),
    loop: { maxSteps: 2, steps: port("steps", "int64", []) },
  };

  test("are as many batches as a loop takes, and say how many are filled", () => {
    const all = runs(looped);
    expect(all.map(({ count, steps, feeds }) => [count, steps, feeds["steps"]!.data[0]])).toEqual([
      [6, 2, 2n],
      [1, 1, 1n],
    ]);
    expect(all[1]!.feeds["x"]!.shape).toEqual([2, 3, 1]);
    expect([...all[1]!.feeds["weights"]!.data]).toEqual([1, 0, 0, 0, 0, 0]);
    expect(runs(looped, seven, 1).map(({ steps }) => steps)).toEqual([1, 1, 1]);
  });

  test("feed every input and every label in its type; bytes are shares of 255 only where floats are taken", () => {
    const changes: Partial<TrainingGraphDocument> = {
      inputs: [port("x", "float32", [3, 1]), port("token", "int64", [3, 2]), port("mask", "bool", [3])],
      labels: port("labels", "float32", [3, 2]),
      moreLabels: [port("more", "int32", [3])],
    };
    const inputs = [Uint8Array.of(51), BigInt64Array.of(2n ** 53n + 1n, 8n), Uint8Array.of(1)];
    const example = { inputs, label: Float32Array.of(0.5, -1, 4) };
    const [run] = runs(changes, [example]);
    const rows = Object.fromEntries(
      ["x", "token", "mask", "labels", "more"].map((name) => [name, [...run!.feeds[name]!.data]]),
    );
    expect(rows["x"]![0]).toBeCloseTo(0.2, 6);
    expect(rows).toMatchObject({
      token: [2n ** 53n + 1n, 8n, 2n ** 53n + 1n, 8n, 2n ** 53n + 1n, 8n],
      mask: [1, 1, 1],
      labels: [0.5, -1, 0.5, -1, 0.5, -1],
      more: [4, 4, 4],
    });
  });

  test("take labels by the names that the plan gives them, in any order", () => {
    const changes: Partial<TrainingGraphDocument> = {
      labels: port("labels.topic", "int32", [3]),
      moreLabels: [port("labels.score", "float32", [3, 2])],
      labelNames: ["topic", "score"],
    };
    const example = {
      inputs: [Float32Array.of(1)],
      label: { extra: 9, score: Float32Array.of(0.5, -1), topic: 4 },
    };
    const [run] = runs(changes, [example]);
    expect([...run!.feeds["labels.topic"]!.data]).toEqual([4, 4, 4]);
    expect([...run!.feeds["labels.score"]!.data]).toEqual([0.5, -1, 0.5, -1, 0.5, -1]);
  });

  test.each([
    ["too few values", { inputs: [new Float32Array(0)], label: 0 }],
    ["too few inputs", { inputs: [], label: 0 }],
    ["too many labels", { inputs: [Float32Array.of(1)], label: Float32Array.of(1, 2) }],
    ["a share as a class", { inputs: [Float32Array.of(1)], label: Float32Array.of(0.5) }],
    ["no label of the output that is learned", { inputs: [Float32Array.of(1)], label: { other: 1 } }],
  ])("refuse %s", (_, example) => {
    expect(() => runs({}, [example])).toThrowError(
      expect.objectContaining({ code: "runtime/invalid-example" }),
    );
  });
});
