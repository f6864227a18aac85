import {
  applyStep,
  builtInStrategies,
  createStrategyRegistry,
  decodeState,
  encodeState,
  scaffoldClientControl,
  type StrategyState,
  type StrategyTask,
} from "@tributary/aggregation";
import { seededRandom, TributaryError } from "@tributary/core";
import { parameterSet } from "@tributary/tensor";
import { expect, test } from "vitest";

const task: StrategyTask = {
  secureAggregation: false,
  cohort: { minimumCount: 2, goalCount: 2 },
  groups: null,
  trustedDataset: false,
  adapters: false,
  engines: [],
  local: { epochs: 3, batchSize: 10, optimizer: "sgd", momentum: 0.9, proximalTerm: null },
};
const choose = (parameters: Record<string, number>, changes: Partial<StrategyTask> = {}) =>
  createStrategyRegistry(builtInStrategies).choose({ name: "scaffold", parameters }, { ...task, ...changes });

// Four devices learn a regression in two dimensions, each from points of its own line.
const random = seededRandom("scaffold");
const DEVICES = [
  { slope: [1, 0], examples: 10 },
  { slope: [0, 2], examples: 25 },
  { slope: [-1, 1], examples: 40 },
  { slope: [3, -2], examples: 5 },
].map(({ slope, examples }) => {
  const points = Array.from({ length: examples }, () => [random.normal(), 1 + random.normal()]);
  return { points, targets: points.map(([x = 0, y = 0]) => slope[0]! * x + slope[1]! * y) };
});
const RATE = 0.05;
const stepsOf = (examples: number): number => 3 * Math.ceil(examples / 10);

/** Gradient of the mean of (w x - t)^2 / 2. */
function gradient({ points, targets }: (typeof DEVICES)[number], w: readonly number[]): number[] {
  const sum = [0, 0];
  for (const [i, [x = 0, y = 0]] of points.entries()) {
    const error = w[0]! * x + w[1]! * y - targets[i]!;
    sum[0]! += error * x;
    sum[1]! += error * y;
  }
  return sum.map((value) => value / points.length);
}

const cohortOf = (round: number): number[] => [round % 4, (round * 3 + 1) % 4];

const corrected = (
  gradient: Float32Array,
  { own, server }: { readonly own: Float32Array; readonly server: Float32Array },
): Float32Array => gradient.map((value, i) => value - own[i]! + server[i]!);

/** Algorithm 1 of the paper with option II, in float64, each device sending its own change of control. */
function byThePaper(rounds: number, serverRate: number) {
  let x = [0, 0];
  let c = [0, 0];
  const own = DEVICES.map(() => [0, 0]);
  for (let round = 0; round < rounds; round++) {
    const dx = [0, 0];
    const dc = [0, 0];
    const cohort = cohortOf(round);
    for (const i of cohort) {
      const device = DEVICES[i]!;
      const steps = stepsOf(device.points.length);
      let y = x;
      for (let step = 0; step < steps; step++) {
        const g = gradient(device, y);
        y = y.map((value, k) => value - RATE * (g[k]! - own[i]![k]! + c[k]!));
      }
      const next = own[i]!.map((value, k) => value - c[k]! + (x[k]! - y[k]!) / (steps * RATE));
      for (const k of [0, 1]) {
        dx[k]! += (y[k]! - x[k]!) / cohort.length;
        dc[k]! += (next[k]! - own[i]![k]!) / cohort.length;
      }
      own[i] = next;
    }
    x = x.map((value, k) => value + serverRate * dx[k]!);
    c = c.map((value, k) => value + (cohort.length / DEVICES.length) * dc[k]!);
  }
  return { x, c };
}

test("rounds are those of the paper, though devices send their updates alone", () => {
  const schema = [{ name: "w", shape: [2] }];
  const { strategy } = choose({ learningRate: 0.8, population: 4 });
  const { aggregation, optimizer } = strategy;
  if (aggregation.kind !== "controlled") throw new TypeError("scaffold counts steps");
  let weights = parameterSet(schema);
  let state: StrategyState = optimizer.init(weights);
  const own = DEVICES.map(() => parameterSet(schema));
  for (let round = 0; round < 30; round++) {
    const server = state.sets["control"]!;
    const mean = parameterSet(schema);
    const perStep = parameterSet(schema);
    const cohort = cohortOf(round);
    for (const i of cohort) {
      const device = DEVICES[i]!;
      const steps = aggregation.steps(device.points.length);
      expect(steps).toBe(stepsOf(device.points.length));
      let y = Float32Array.from(weights.values);
      for (let step = 0; step < steps; step++) {
        const g = Float32Array.from(gradient(device, [...y]));
        const direction = corrected(g, { own: own[i]!.values, server: server.values });
        y = y.map((value, k) => value - RATE * direction[k]!);
      }
      const update = parameterSet(
        schema,
        y.map((value, k) => value - weights.values[k]!),
      );
      own[i] = scaffoldClientControl({ own: own[i]!, server, update, steps, learningRate: RATE }).control;
      for (const k of [0, 1]) {
        mean.values[k]! += update.values[k]! / cohort.length;
        perStep.values[k]! += update.values[k]! / steps / cohort.length;
      }
    }
    const next = optimizer.update(mean, state, {
      updates: cohort.length,
      baseVersion: 7 + round,
      learningRate: RATE,
      perStep,
    });
    weights = applyStep(weights, next.step);
    // As it is checkpointed, and as devices get it.
    state = decodeState("scaffold", schema, encodeState("scaffold", next.state));
  }
  const expected = byThePaper(30, 0.8);
  for (const k of [0, 1]) {
    expect(weights.values[k]).toBeCloseTo(expected.x[k]!, 4);
    expect(state.sets["control"]!.values[k]).toBeCloseTo(expected.c[k]!, 4);
  }
  expect(state.numbers).toEqual({ since: 7 });
});

test("is refused where a control variate would not be what it is, with the reason", () => {
  const refusal = (
    changes: Partial<StrategyTask>,
    parameters: Record<string, number> = { population: 10 },
  ) => {
    try {
      choose(parameters, changes);
    } catch (error) {
      if (!TributaryError.is(error)) throw error;
      return `${error.code} ${String(error.detail["path"])} ${String(error.detail["problem"])}`;
    }
    return "";
  };
  expect(refusal({})).toBe("");
  expect(refusal({}, {})).toContain("/strategy/parameters/population must be the number of devices");
  expect(refusal({ secureAggregation: true })).toContain("scaffold is ruled out by secure aggregation");
  expect(refusal({ groups: 3 })).toContain("scaffold is ruled out by buffered mode");
  expect(refusal({ local: { ...task.local, optimizer: "adam" } })).toContain("/local/optimizer must be sgd");
  expect(refusal({ local: { ...task.local, proximalTerm: 1 } })).toContain(
    "/local/proximalTerm must be null",
  );
  expect(refusal({ adapters: true })).toContain("/adapters must be null");
  expect(refusal({ engines: ["ort-webgpu"] })).toContain("/eligibility/engines must have one of ort-node");
  expect(refusal({ engines: ["ort-node"] })).toBe("");
});
