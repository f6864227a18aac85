import {
  fedAvg,
  fedBuff,
  fedNova,
  localNorm,
  localSteps,
  scaffoldClientControl,
  scaffoldServer,
  stalenessDiscount,
} from "@tributary/aggregation";
import { parameterSet } from "@tributary/tensor";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const value = fc.float({ min: -10, max: 10, noNaN: true });
const device = fc.record({
  update: fc.tuple(value, value),
  numExamples: fc.integer({ min: 1, max: 1000 }),
  steps: fc.integer({ min: 1, max: 100 }),
});

describe("FedBuff", () => {
  const cohort = fc.record({
    devices: fc.array(device, { minLength: 1, maxLength: 4 }),
    staleness: fc.integer({ min: 0, max: 20 }),
  });
  test("is sum of s(staleness) S_c over sum of W_c", () => {
    fc.assert(
      fc.property(fc.array(cohort, { minLength: 1, maxLength: 5 }), (cohorts) => {
        const buffer = fedBuff.init(2);
        const expected = [0, 0];
        let weight = 0;
        for (const { devices, staleness } of cohorts) {
          const sum = fedAvg.init(2);
          for (const { update, numExamples } of devices) {
            fedAvg.accumulate(sum, Float32Array.from(update), numExamples);
            update.forEach((x, i) => (expected[i]! += (numExamples * x) / Math.sqrt(1 + staleness)));
            weight += numExamples;
          }
          fedBuff.addCohort(buffer, sum, staleness);
        }
        fedBuff.mean(buffer).forEach((got, i) => expect(got).toBeCloseTo(expected[i]! / weight, 9));
        expect(buffer.updates).toBe(cohorts.reduce((count, { devices }) => count + devices.length, 0));
      }),
      { seed: 5 },
    );
  });
  test("fresh cohorts are averaged as in fedAvg", () => {
    const sum = fedAvg.init(1);
    fedAvg.accumulate(sum, new Float32Array([3]), 7);
    const buffer = fedBuff.init(1);
    fedBuff.addCohort(buffer, sum, 0);
    expect(fedBuff.mean(buffer)).toEqual(fedAvg.mean(sum));
  });
  test("refuses what is no staleness, other lengths and an empty buffer", () => {
    for (const staleness of [-1, 0.5, NaN]) expect(() => stalenessDiscount(staleness)).toThrow("staleness");
    expect(() => fedBuff.addCohort(fedBuff.init(2), fedAvg.init(1), 0)).toThrow("2 values");
    expect(() => fedBuff.mean(fedBuff.init(1))).toThrow("empty buffer");
  });
});

describe("FedNova", () => {
  test("is tau_eff * sum p_i update_i / tau_i", () => {
    fc.assert(
      fc.property(fc.array(device, { minLength: 1, maxLength: 6 }), (devices) => {
        const state = fedNova.init(2);
        for (const { update, numExamples, steps } of devices) {
          const share = { numExamples, norm: localNorm({ steps }) };
          fedNova.accumulateChunk(state, 1, Float32Array.of(update[1]), share);
          fedNova.accumulateChunk(state, 0, Float32Array.of(update[0]), share);
          fedNova.countUpdate(state, share);
        }
        const total = devices.reduce((sum, { numExamples }) => sum + numExamples, 0);
        const p = devices.map(({ numExamples }) => numExamples / total);
        const effective = devices.reduce((sum, { steps }, i) => sum + p[i]! * steps, 0);
        fedNova.mean(state).forEach((got, coordinate) => {
          const direction = devices.reduce(
            (sum, { update, steps }, i) => sum + (p[i]! * update[coordinate]!) / steps,
            0,
          );
          expect(got).toBeCloseTo(effective * direction, 8);
        });
      }),
      { seed: 5 },
    );
  });
  test("with as many steps on every device it is fedAvg", () => {
    const [nova, plain] = [fedNova.init(1), fedAvg.init(1)];
    for (const [x, numExamples] of [
      [2, 3],
      [-1, 5],
    ] as const) {
      fedNova.accumulateChunk(nova, 0, Float32Array.of(x), { numExamples, norm: 4 });
      fedNova.countUpdate(nova, { numExamples, norm: 4 });
      fedAvg.accumulate(plain, Float32Array.of(x), numExamples);
    }
    expect(fedNova.mean(nova)[0]).toBeCloseTo(fedAvg.mean(plain)[0]!, 12);
  });
  test("the norm is how far gradients of 1 carry the weights", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.double({ min: 0.01, max: 0.95, noNaN: true }),
        (steps, factor) => {
          let [buffer, momentum, proximal] = [0, 0, 0];
          for (let step = 0; step < steps; step++) {
            buffer = factor * buffer + 1;
            momentum += buffer;
            proximal += 1 - factor * proximal;
          }
          expect(localNorm({ steps })).toBe(steps);
          expect(localNorm({ steps, momentum: factor })).toBeCloseTo(momentum, 6);
          expect(localNorm({ steps, proximalDecay: factor })).toBeCloseTo(proximal, 6);
        },
      ),
      { seed: 5 },
    );
  });
  test("a short last batch is a step", () => {
    expect(localSteps(21, { epochs: 3, batchSize: 10 })).toBe(9);
  });
  test("refuses what it does not know", () => {
    expect(() => localNorm({ steps: 0 })).toThrow("steps");
    expect(() => localNorm({ steps: 1, momentum: 0.9, proximalDecay: 0.1 })).toThrow("do not go together");
    expect(() => fedNova.mean(fedNova.init(1))).toThrow("no updates");
    expect(() =>
      fedNova.accumulateChunk(fedNova.init(1), 1, new Float32Array(1), { numExamples: 1, norm: 1 }),
    ).toThrow("do not lie");
  });
});

describe("SCAFFOLD", () => {
  const corrected = (
    gradient: Float32Array,
    { own, server }: { readonly own: Float32Array; readonly server: Float32Array },
  ): Float32Array => gradient.map((value, i) => value - own[i]! + server[i]!);
  const schema = [{ name: "w", shape: [1] }];
  const set = (x: number) => parameterSet(schema, Float32Array.of(x));

  // Two devices with the losses (a/2)(w - b)^2: their optima differ, and so do their curvatures.
  const DEVICES = [
    { a: 1, b: 0 },
    { a: 4, b: 1 },
  ];
  const OPTIMUM = 4 / 5;

  function learn(withControls: boolean): number {
    const server = scaffoldServer({ population: 2 });
    let w = 0.5;
    let control = server.init(set(0));
    let own = DEVICES.map(() => set(0));
    for (let round = 0; round < 200; round++) {
      const trained = DEVICES.map(({ a, b }, i) => {
        let y = w;
        for (let step = 0; step < 10; step++) {
          const gradient = Float32Array.of(a * (y - b));
          const controls = { own: own[i]!.values, server: control.values };
          y -= 0.1 * (withControls ? corrected(gradient, controls) : gradient)[0]!;
        }
        return scaffoldFor(i, y - w);
      });
      own = trained.map(({ control: next }) => next);
      const result = server.update(
        {
          update: set((trained[0]!.update + trained[1]!.update) / 2),
          change: set((trained[0]!.change.values[0]! + trained[1]!.change.values[0]!) / 2),
          participants: 2,
        },
        control,
      );
      w += result.step.values[0]!;
      control = result.control;
    }
    return w;

    function scaffoldFor(i: number, update: number) {
      const result = scaffoldClientControl({
        own: own[i]!,
        server: control,
        update: set(update),
        steps: 10,
        learningRate: 0.1,
      });
      return { ...result, update };
    }
  }

  test("finds the optimum of all where averaging stays beside it", () => {
    expect(learn(true)).toBeCloseTo(OPTIMUM, 4);
    expect(Math.abs(learn(false) - OPTIMUM)).toBeGreaterThan(0.05);
  });

  test("a control is the mean gradient of the steps where none was known before", () => {
    const { control, change } = scaffoldClientControl({
      own: set(0),
      server: set(0),
      update: set(-0.5),
      steps: 5,
      learningRate: 0.1,
    });
    expect(control.values[0]).toBeCloseTo(1, 6);
    expect(change).toEqual(control);
  });

  test("the server's control moves by the share of the population that took part", () => {
    const server = scaffoldServer({ learningRate: 0.5, population: 10 });
    const { step, control } = server.update({ update: set(2), change: set(4), participants: 5 }, set(1));
    expect([step.values[0], control.values[0]]).toEqual([1, 3]);
    expect(() => server.update({ update: set(2), change: set(4), participants: 11 }, set(1))).toThrow(
      "participants",
    );
    expect(() => scaffoldServer({ population: 0 })).toThrow("population");
  });
});
