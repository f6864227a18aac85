import type { OutputProcessing } from "@tributary/protocol";
import { tensor } from "@tributary/tensor";
import { expect, test } from "vitest";
import { readAnswer } from "../../src/inference/read-answer.ts";

const outputs = {
  scores: tensor("float32", [2, 3], Float32Array.of(0, Math.log(3), 0, 2, -2, 2)),
  other: tensor("float32", [2, 1], Float32Array.of(1, 2)),
};
const read = (output?: OutputProcessing, labels?: readonly string[]) =>
  readAnswer(
    {
      version: 4 as never,
      outputs: [
        { name: "scores", dtype: "float32", shape: [-1, 3] },
        { name: "other", dtype: "float32", shape: [-1, 1] },
      ],
      ...(output === undefined ? {} : { processing: { output } }),
      ...(labels === undefined ? {} : { labels }),
    },
    { outputs, durationMs: 3 },
  );
const rounded = (values: ArrayLike<number>) => Array.from(values, (value) => Math.round(1000 * value) / 1000);

test("the best classes of each row have labels and probabilities; of equals the first comes first", () => {
  const { top, classes } = read({ name: "scores", activation: "softmax", topK: 2 }, ["a", "b", "c"]);
  expect(classes).toEqual([1, 0]);
  expect(top.map((row) => row.map(({ label }) => label))).toEqual([
    ["b", "a"],
    ["a", "c"],
  ]);
  expect(top[0]![0]).toEqual({ index: 1, label: "b", probability: expect.closeTo(0.6, 5) as number });
});

test("the output that is named is read as it says; without, the first is, by its name", () => {
  expect(rounded(read().probabilities).slice(0, 3)).toEqual([0.2, 0.6, 0.2]);
  const sigmoid = read({ name: "scores", activation: "sigmoid", topK: 5 });
  expect(rounded(sigmoid.probabilities).slice(3)).toEqual([0.881, 0.119, 0.881]);
  expect(sigmoid.top[1]!.map(({ label }) => label)).toEqual(["0", "2", "1"]);
  expect([...read({ name: "other", activation: "none" }).probabilities]).toEqual([1, 2]);
});
