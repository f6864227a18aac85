import { beforeAll, describe, expect, test } from "vitest";
import { GRAD_RULES } from "../../src/autodiff/rules/index.ts";
import { ENGINES, floatsOf, type TestEngine } from "../support/engines.ts";
import { interpret } from "../support/reference.ts";
import { buildCase, CASES, differences, relativeError, DISTINCT_RUNS } from "../support/rule-cases.ts";

// Their gradient is an estimate, which differences do not show: quantization-aware.test.ts.
const ESTIMATES = ["DequantizeLinear", "QuantizeLinear"];

test("every rule has a case", () => {
  expect(new Set([...CASES.map(({ op }) => op), ...ESTIMATES])).toEqual(new Set(Object.keys(GRAD_RULES)));
});

const full = process.env["TRIBUTARY_TEST_FULL"] === "1";
const FIRST_OF_OPERATOR = DISTINCT_RUNS.filter(
  (run, i) => DISTINCT_RUNS.findIndex(({ op, target }) => op === run.op && target === run.target) === i,
);

describe.each(ENGINES)("gradient rules on %s", (name, open) => {
  // The graphs are the same: what the first engine shows of each case, the others show of each operator.
  const runs = full || name === ENGINES[0][0] ? DISTINCT_RUNS : FIRST_OF_OPERATOR;
  let engine: TestEngine;
  beforeAll(async () => {
    engine = await open();
  });

  test.each(runs)("$title", async (rule) => {
    const built = buildCase(rule, rule.target);
    const { node, values, constants, seeds } = built;
    const session = await engine.load(built.model);
    const feeds = Object.fromEntries(
      [...values, ...seeds].map(([name, { shape, data }]) => [
        name,
        new engine.Tensor("float32", Float32Array.from(data), shape),
      ]),
    );
    const outputs = await session.run(feeds);
    await session.release();
    const reference = interpret([node], new Map([...values, ...constants]));
    for (const name of node.outputs) {
      const y = reference.get(name)!;
      expect(outputs[name]!.dims).toEqual(y.shape);
      expect(relativeError(floatsOf(outputs[name]), y.data)).toBeLessThan(1e-6);
    }
    for (const [name, { shape }] of values) {
      const expected = differences(built, name);
      expect(outputs[`d${name}`]!.dims).toEqual(shape);
      expect(relativeError(floatsOf(outputs[`d${name}`]), expected), `gradient of ${name}`).toBeLessThan(
        2e-6,
      );
    }
  });

  // A window over a flat background has many maxima; PyTorch credits the first one, row by row.
  test.each(["cpu", "webgpu"] as const)("MaxPool credits the first of equal maxima (%s)", async (target) => {
    const attributes = { kernel_shape: [2, 2], strides: [2, 2] };
    const { model } = buildCase({ op: "MaxPool", label: "ties", inputs: [[1, 1, 2, 6]], attributes }, target);
    const session = await engine.load(model);
    const x = Float32Array.of(0, 0, 1, 2, 3, 5, 0, 0, 2, 2, 5, 5);
    const outputs = await session.run({
      x0: new engine.Tensor("float32", x, [1, 1, 2, 6]),
      dy: new engine.Tensor("float32", Float32Array.of(1, 2, 3), [1, 1, 1, 3]),
    });
    await session.release();
    expect([...floatsOf(outputs["dx0"])]).toEqual([1, 0, 0, 2, 0, 3, 0, 0, 0, 0, 0, 0]);
  });
});
