import { seededRandom } from "@tributary/core";
import { beforeAll, describe, expect, test } from "vitest";
import { GRAD_RULES } from "../../src/autodiff/rules/index.ts";
import { ENGINES, floatsOf, type TestEngine } from "../support/engines.ts";
import { array64, interpret } from "../support/reference.ts";
import { buildCase, CASES, differences, relativeError, RUNS } from "../support/rule-cases.ts";

test("every rule has a case", () => {
  expect(new Set(CASES.map(({ op }) => op))).toEqual(new Set(Object.keys(GRAD_RULES)));
});

describe.each(ENGINES)("gradient rules on %s", (_, open) => {
  let engine: TestEngine;
  beforeAll(async () => {
    engine = await open();
  });

  test.each(RUNS)("$title", async (rule) => {
    const { model, node, values, constants, shape } = buildCase(rule, rule.target);
    const random = seededRandom("dy");
    const count = shape.reduce((product, dim) => product * dim, 1);
    const dy = Float32Array.from({ length: count }, () => random.normal());
    const session = await engine.load(model);
    const feeds = Object.fromEntries(
      [...values, ["dy", array64(shape, dy)] as const].map(([name, { shape: dims, data }]) => [
        name,
        new engine.Tensor("float32", Float32Array.from(data), dims),
      ]),
    );
    const outputs = await session.run(feeds);
    await session.release();
    const y = interpret([node], new Map([...values, ...constants])).get("y")!;
    expect(outputs["y"]!.dims).toEqual(y.shape);
    expect(relativeError(floatsOf(outputs["y"]), y.data)).toBeLessThan(1e-6);
    for (const [name, { shape: dims }] of values) {
      const expected = differences(node, values, constants, name, Float64Array.from(dy));
      expect(outputs[`d${name}`]!.dims).toEqual(dims);
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
