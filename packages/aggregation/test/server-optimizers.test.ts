import {
  applyStep,
  fedAdagrad,
  fedAdam,
  fedAvgM,
  fedYogi,
  serverSgd,
  type ServerOptimizer,
  type StrategyState,
} from "@tributary/aggregation";
import { parameterSet } from "@tributary/tensor";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const schema = [{ name: "w", shape: [2] }];
const MEANS = [
  [0.1, -0.2],
  [0.05, 0.1],
  [-0.02, 0.3],
];

function trace(optimizer: ServerOptimizer<StrategyState>, means: readonly (readonly number[])[]): number[] {
  let weights = parameterSet([{ name: "w", shape: [means[0]!.length] }]);
  let state = optimizer.init(weights);
  for (const mean of means) {
    const result = optimizer.update(parameterSet(weights.schema, Float32Array.from(mean)), state);
    weights = applyStep(weights, result.step);
    state = result.state;
  }
  return [...weights.values];
}

describe("golden traces", () => {
  // Three rounds from zero, computed in float64 from Algorithm 2 of arXiv 2003.00295, eta 0.1, tau 1e-3, v0 tau^2.
  test.each<[string, ServerOptimizer<StrategyState>, number, number]>([
    ["fedAdam", fedAdam(), 0.291616923, -0.069956035],
    ["fedYogi", fedYogi(), 0.290490224, -0.070009018],
    ["fedAdagrad", fedAdagrad(), 0.125873486, 0.02498493],
    ["fedAdagrad with momentum", fedAdagrad({ beta1: 0.9 }), 0.031561952, -0.007434577],
    ["fedAvgM", fedAvgM(), 0.346, -0.052],
  ])("%s", (_, optimizer, first, second) => {
    const [a, b] = trace(optimizer, MEANS);
    expect(a).toBeCloseTo(first, 6);
    expect(b).toBeCloseTo(second, 6);
  });
});

/** The definitions, with nothing rounded to float32. */
function adaptiveInFloat64(
  kind: "fedAdagrad" | "fedAdam" | "fedYogi",
  means: readonly (readonly number[])[],
  { learningRate, beta1, beta2, tau }: Record<"learningRate" | "beta1" | "beta2" | "tau", number>,
): number[] {
  return means[0]!.map((_value, i) => {
    let [x, m, v] = [0, 0, tau ** 2];
    for (const mean of means) {
      const square = Math.fround(mean[i]!) ** 2;
      m = beta1 * m + (1 - beta1) * Math.fround(mean[i]!);
      if (kind === "fedAdagrad") v += square;
      else if (kind === "fedAdam") v = beta2 * v + (1 - beta2) * square;
      else v -= (1 - beta2) * square * Math.sign(v - square);
      x += (learningRate * m) / (Math.sqrt(v) + tau);
    }
    return x;
  });
}

const vector = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 3, maxLength: 3 });
const settings = fc.record({
  learningRate: fc.double({ min: 1e-3, max: 1, noNaN: true }),
  beta1: fc.double({ min: 0, max: 0.99, noNaN: true }),
  beta2: fc.double({ min: 0, max: 0.999, noNaN: true }),
  tau: fc.double({ min: 1e-3, max: 0.1, noNaN: true }),
});

test.each([
  ["fedAdagrad", fedAdagrad],
  ["fedAdam", fedAdam],
  ["fedYogi", fedYogi],
] as const)("%s is its definition", (kind, create) => {
  fc.assert(
    fc.property(fc.array(vector, { minLength: 1, maxLength: 8 }), settings, (means, options) => {
      const expected = adaptiveInFloat64(kind, means, options);
      const scale = options.learningRate / options.tau;
      trace(create(options), means).forEach((got, i) => {
        // float32 in state, step and weights: a few units in the last place of the largest step there may be.
        expect(Math.abs(got - expected[i]!)).toBeLessThan(1e-5 * Math.max(1, scale));
      });
    }),
    { seed: 5 },
  );
});

test("fedAvgM is its definition", () => {
  fc.assert(
    fc.property(
      fc.array(vector, { minLength: 1, maxLength: 8 }),
      fc.double({ min: 0, max: 0.99, noNaN: true }),
      (means, momentum) => {
        const got = trace(fedAvgM({ learningRate: 0.5, momentum }), means);
        got.forEach((value, i) => {
          let [x, v] = [0, 0];
          for (const mean of means) {
            v = momentum * v + Math.fround(mean[i]!);
            x += 0.5 * v;
          }
          expect(value).toBeCloseTo(x, 4);
        });
      },
    ),
    { seed: 5 },
  );
});

test("with momentum 0 fedAvgM is plain averaging", () => {
  expect(trace(fedAvgM({ momentum: 0, learningRate: 0.5 }), MEANS)).toEqual(
    trace(serverSgd({ learningRate: 0.5 }), MEANS),
  );
});

test("update changes neither its mean nor its state", () => {
  for (const optimizer of [fedAdam(), fedYogi(), fedAdagrad(), fedAvgM(), serverSgd()]) {
    const mean = parameterSet(schema, new Float32Array([0.1, -0.2]));
    const state = optimizer.init(mean);
    const before = structuredClone(state);
    const first = optimizer.update(mean, state);
    expect(optimizer.update(mean, state)).toEqual(first);
    expect(state).toEqual(before);
    expect([...mean.values]).toEqual([...new Float32Array([0.1, -0.2])]);
  }
});

test("settings out of their range are refused by name", () => {
  expect(() => fedAdam({ learningRate: 0 })).toThrow("fedAdam: learningRate");
  expect(() => fedAdam({ beta2: 1 })).toThrow("fedAdam: beta2");
  expect(() => fedYogi({ beta2: NaN })).toThrow("fedYogi: beta2");
  expect(() => fedYogi({ tau: 0 })).toThrow("fedYogi: tau");
  expect(() => fedAdagrad({ beta1: -0.1 })).toThrow("fedAdagrad: beta1");
  expect(() => fedAvgM({ momentum: 1 })).toThrow("fedAvgM: momentum");
  expect(() => fedAvgM({ learningRate: Infinity })).toThrow("fedAvgM: learningRate");
});
