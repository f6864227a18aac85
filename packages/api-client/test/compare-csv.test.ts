import { expect, test } from "vitest";
import { compareTable, curvesTable, toCsv, type CompareView } from "../src/index.ts";

const subject = {
  kind: "task",
  model: "digits",
  task: "a",
  version: 2,
  strategy: "fedAvg",
  at: "2026-11-01T10:00:00.000Z",
} as const;
const point = {
  round: 1,
  version: 2,
  seconds: 5,
  examples: 30,
  loss: 0.5,
  accuracy: null,
  trainLoss: null,
  trainAccuracy: null,
};
const view: CompareView = {
  subjects: [
    { ref: "a", ...subject, curve: { points: [point], rounds: 1 } },
    { ref: "b", ...subject, curve: { points: [], rounds: 0 } },
  ],
  parameters: [{ path: "strategy.name", values: ['"fedAvg"', null], differs: true }],
  metrics: [
    {
      name: "loss",
      better: "lower",
      values: [{ value: 0.5, lower: null, upper: null, examples: null }, null],
    },
    {
      name: "accuracy",
      better: "higher",
      values: [{ value: 0.9, lower: 0.8, upper: 0.95, examples: 100 }, null],
    },
  ],
  differences: [],
  confidence: 0.95,
};

test("what is compared is a table with a column for each", () => {
  expect(toCsv(compareTable(view))).toBe(
    'name,a,b\r\nstrategy.name,"""fedAvg""",\r\nmetric.loss,0.5,\r\nmetric.accuracy,0.9,\r\nmetric.accuracy.lower,0.8,\r\nmetric.accuracy.upper,0.95,\r\n',
  );
});

test("curves are a table of points", () => {
  expect(toCsv(curvesTable(view)).split("\r\n").slice(1)).toEqual(["a,1,2,5,30,0.5,,,", ""]);
});

test("no cell begins a formula", () => {
  expect(toCsv([["=1+1", "@x", "a\nb", "-5"]])).toBe(`'=1+1,'@x,"a\nb",-5\r\n`);
});
