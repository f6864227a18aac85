import type { ModelCard } from "@tributary/api-client";
import { expect, test } from "vitest";
import { cardLines } from "../src/model/card-lines.ts";
import { aVersion } from "./views.ts";
import { formatFull } from "../src/format/time.ts";

const port = { name: "image", dtype: "float32", shape: [-1, 784] } as const;
const card = (more: Partial<ModelCard["version"]> = {}): ModelCard => ({
  formatVersion: 1,
  model: "digits",
  format: "onnx",
  inputs: [port],
  outputs: [{ ...port, name: "logits", shape: [-1, 10] }],
  classes: Array.from({ length: 20 }, (_, i) => String(i)),
  variants: [],
  channels: ["stable"],
  aliases: ["champion"],
  version: { ...aVersion(7, 6), ...more },
  notes: null,
  updatedAt: null,
});
const lineage: NonNullable<ModelCard["version"]["lineage"]> = {
  madeBy: { kind: "task", task: "digits", plan: { number: 1, digest: "0".repeat(64) } },
  cohorts: [],
  evaluation: { dataset: "0".repeat(64), examples: 10_000 },
  intervals: { accuracy: { lower: 0.95, upper: 0.97, confidence: 0.95 } },
  privacy: {
    epsilon: null,
    reason: "no noise was added",
    secureAggregation: { minimumCohort: 16 },
    maxUpdateNorm: 100,
  },
  code: { coordinator: "0.1.0" },
  dataSchema: { digest: "0".repeat(64), inputs: [port], outputs: [port], labels: null, classes: 20 },
};

test("says what points to a version, how it was measured and made, and what is kept private", () => {
  const strategy = { name: "fedAdam", parameters: { learningRate: 0.1 } };
  const lines = cardLines(
    card({ lineage, accuracy: 0.96, loss: 0.1234, cohort: 20, numExamples: 1_200, strategy }),
  );
  expect(lines).toEqual([
    { term: "Called", words: "stable, champion" },
    {
      term: "Measured",
      words: "accuracy 96.0%, loss 0.123",
      more: "on 10,000 held-out examples; accuracy between 95.0% and 97.0% with 95.0% confidence",
    },
    {
      term: "Made",
      words: "by task digits, from version 6",
      more: `${formatFull(aVersion(7, 6).createdAt)}; 20 updates of 1,200 examples; fedAdam, learningRate 0.1; coordinator 0.1.0`,
    },
    {
      term: "Privacy",
      words: "no differential privacy",
      more: "no noise was added; sums of at least 16 updates were seen, and no single one; norm of an update at most 100",
    },
    { term: "In", words: "image float32 [*, 784]" },
    {
      term: "Out",
      words: "logits float32 [*, 10]",
      more: "20 classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11…",
    },
  ]);
});

test("of a version of before says what is not known", () => {
  const words = Object.fromEntries(cardLines(card()).map((line) => [line.term, line.words]));
  expect(words).toMatchObject({
    Measured: "not on held-out data",
    Made: "from version 6",
    Privacy: "not recorded",
  });
});
