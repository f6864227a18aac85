import {
  accuracyInterval,
  addMetrics,
  checkMetrics,
  createMetrics,
  evaluationMetrics,
  evaluationVector,
  lossInterval,
  mcNemarTest,
  pairedMetrics,
  pairedTTest,
  pairedVector,
  readMetrics,
  readPaired,
  type MeasuredExample,
} from "@tributary/metrics";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { incompleteBeta } from "../src/incomplete-beta.ts";
import { studentQuantile, studentTail } from "../src/student-t.ts";

/** Each example on a device of its own: what clusters of one add up to. */
function alone(d: readonly number[]) {
  const total = d.reduce((sum, each) => sum + each, 0);
  const squares = d.reduce((sum, each) => sum + each * each, 0);
  return {
    devices: d.length,
    examples: d.length,
    difference: total,
    differenceSquares: squares,
    deviceExampleSquares: d.length,
    deviceDifferenceSquares: squares,
    deviceDifferenceProducts: total,
  };
}

function discordant(examples: number, lost: number, gained: number) {
  const [deviceGainSquares, deviceGainProducts] = [lost + gained, gained - lost];
  return {
    devices: examples,
    examples,
    lost,
    gained,
    deviceExampleSquares: examples,
    deviceGainSquares,
    deviceGainProducts,
  };
}

/** Student's sleep data ("The probable error of a mean", 1908): hours gained with each of two drugs, by the same ten people. */
const FIRST = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0, 2];
const SECOND = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];

const sleep = () => alone(FIRST.map((value, i) => value - SECOND[i]!));

// Golden values by scipy 1.17.
describe("distributions", () => {
  test.each([
    [0.3, 2, 5, 0.579825],
    [0.9, 0.5, 0.5, 0.7951672353008665],
    [0.5, 1000, 1010, 0.588269827543728],
    [0.999, 300, 0.5, 0.438654268870091],
  ])("I_%d(%d, %d)", (x, a, b, value) => {
    expect(incompleteBeta(x, a, b) / value).toBeCloseTo(1, 10);
  });

  test.each([
    [0.5, 3, 0.3257239824240755],
    [2.3, 11, 0.021015963334351895],
    [-1.2, 40, 0.8814006879426948],
    [6, 1e6, 9.86924906177215e-10],
  ])("P(T > %d) with %d degrees", (t, degrees, value) => {
    expect(studentTail(t, degrees) / value).toBeCloseTo(1, 8);
  });

  test.each([
    [0.95, 1, 6.313751514675037],
    [0.975, 2, 4.302652729749462],
    [0.95, 9, 1.833112932656237],
    [0.99, 30, 2.457261542400591],
    [0.95, 599, 1.647401444724167],
    [0.975, 100_000, 1.9599877075346095],
    [0.5, 7, 0],
  ])("the quantile of %d with %d degrees", (probability, degrees, value) => {
    expect(studentQuantile(probability, degrees)).toBeCloseTo(value, 9);
  });

  test("nonsense is refused", () => {
    expect(() => incompleteBeta(1.1, 1, 1)).toThrow(RangeError);
    expect(() => studentTail(Number.NaN, 1)).toThrow(RangeError);
    expect(() => studentQuantile(1, 5)).toThrow(RangeError);
    expect(() => studentQuantile(0.4, 5)).toThrow(RangeError);
  });
});

describe("differences of losses", () => {
  test("the sleep data's interval and p", () => {
    const found = lossInterval(sleep(), 0.975)!;
    expect(found.mean).toBeCloseTo(-1.58, 12);
    expect(found.lower).toBeCloseTo(-2.459885763276983, 9);
    expect(found.upper).toBeCloseTo(-0.7001142367230175, 9);
    expect(pairedTTest(sleep())).toBeCloseTo(0.002832890197384273, 10);
  });

  test("one example says nothing of how examples differ, equal ones leave no doubt", () => {
    expect(lossInterval(alone([-1]), 0.95)).toBeUndefined();
    expect(lossInterval(alone([-0.5, -0.5, -0.5, -0.5]), 0.95)).toEqual({
      mean: -0.5,
      lower: -0.5,
      upper: -0.5,
      standardError: 0,
    });
    expect(pairedTTest(alone([-0.5, -0.5, -0.5, -0.5]))).toBe(0);
    expect(pairedTTest(alone([0, 0, 0, 0]))).toBe(1);
  });
});

describe("discordant examples", () => {
  test.each([
    [3, 12, 0.03515625],
    [0, 1, 1],
    [10, 2, 0.03857421875],
    [121, 59, 4.4344492637551645e-6],
    [5, 5, 1],
    [40_000, 40_900, 0.0015736622591117785],
    // Few are expected of the exact test; by chi-squared more are.
    [0, 30, 4.320529900965549e-8],
    [0, 0, 1],
  ])("McNemar's p of %d against %d, each on a device of its own", (lost, gained, value) => {
    expect(mcNemarTest(discordant(1e6, lost, gained))! / value).toBeCloseTo(1, 5);
  });

  test.each([
    // Agresti's approval ratings: 1600 people asked twice, 150 and 86 changed their mind.
    [1600, 150, 86, 0.975, -0.05869712615077598, -0.021202998693169096],
    [50, 0, 0, 0.95, -0.03224136331955488, 0.03224136331955488],
    [20, 2, 9, 0.95, 0.058811896453612955, 0.5775517399100234],
  ])(
    "the interval of %d examples on as many devices, %d lost, %d gained",
    (examples, lost, gained, confidence, lower, upper) => {
      const found = accuracyInterval(discordant(examples, lost, gained), confidence)!;
      expect(found.mean).toBe((gained - lost) / examples);
      expect(found.lower).toBeCloseTo(lower, 9);
      expect(found.upper).toBeCloseTo(upper, 9);
    },
  );

  test("of one device, or none, say nothing", () => {
    expect(accuracyInterval(discordant(0, 0, 0), 0.95)).toBeUndefined();
    const one = { ...discordant(5, 0, 5), devices: 1, deviceExampleSquares: 25, deviceGainSquares: 25 };
    expect(accuracyInterval(one, 0.95)).toBeUndefined();
    expect(mcNemarTest(one)).toBeUndefined();
  });
});

const bounds = { maxLoss: 20, maxDifference: 5 };
const measured = fc.record({ loss: fc.double({ min: 0, max: 30, noNaN: true }), correct: fc.boolean() });
const pairs = fc.array(fc.tuple(measured, measured), { minLength: 4, maxLength: 60 });
const vectorOf = (list: readonly (readonly [MeasuredExample, MeasuredExample])[]) =>
  pairedVector(
    list.map(([before]) => before),
    list.map(([, after]) => after),
    bounds,
  );

/** Three examples a device, the last has what is left. */
function sumsOf(list: readonly (readonly [MeasuredExample, MeasuredExample])[]) {
  const sum = createMetrics(pairedMetrics);
  let devices = 0;
  for (let i = 0; i < list.length || devices < 2; i += 3, devices++)
    addMetrics(sum, vectorOf(list.slice(i, i + 3)));
  return { ...readPaired(sum), devices };
}

describe("sums of devices", () => {
  test("are those of all their examples together, however examples lie on devices, but for what is of devices", () => {
    fc.assert(
      fc.property(pairs, fc.array(fc.nat(4), { minLength: 60, maxLength: 60 }), (list, device) => {
        const sum = createMetrics(pairedMetrics);
        for (let i = 0; i <= 4; i++) addMetrics(sum, vectorOf(list.filter((_, k) => device[k] === i)));
        const whole = vectorOf(list);
        for (const [i, value] of whole.subarray(0, 9).entries()) expect(sum[i]).toBeCloseTo(value, 8);
        expect(() => checkMetrics(pairedMetrics, whole)).not.toThrow();
        const { lost, gained, currentCorrect, candidateCorrect, examples } = readPaired(whole);
        expect(gained - lost).toBe(candidateCorrect - currentCorrect);
        expect(lost + gained).toBeLessThanOrEqual(examples);
      }),
      { seed: 20 },
    );
  });

  test("swapping the versions turns intervals round and keeps both tests", () => {
    fc.assert(
      fc.property(pairs, fc.double({ min: 0.5, max: 0.999, noNaN: true }), (list, confidence) => {
        const there = sumsOf(list);
        const back = sumsOf(list.map(([before, after]) => [after, before]));
        for (const interval of [lossInterval, accuracyInterval]) {
          const [one, other] = [interval(there, confidence)!, interval(back, confidence)!];
          expect(other.mean).toBeCloseTo(-one.mean, 9);
          expect(other.lower).toBeCloseTo(-one.upper, 9);
          expect(one.lower).toBeLessThanOrEqual(one.upper);
        }
        expect(mcNemarTest(back)).toBeCloseTo(mcNemarTest(there)!, 12);
        expect(pairedTTest(back)).toBeCloseTo(pairedTTest(there)!, 9);
      }),
      { seed: 21 },
    );
  });

  test("one example decides no more than its bound, and a loss that is no number counts as the largest", () => {
    const fine = { loss: 1, correct: true };
    const broken = { loss: Number.NaN, correct: false };
    const sums = readPaired(pairedVector([fine], [broken], bounds));
    expect(sums).toMatchObject({
      candidateLoss: 20,
      difference: 5,
      differenceSquares: 25,
      lost: 1,
      gained: 0,
      deviceExampleSquares: 1,
      deviceDifferenceSquares: 25,
      deviceDifferenceProducts: 5,
      deviceGainSquares: 1,
      deviceGainProducts: -1,
    });
    expect(readMetrics(evaluationMetrics, evaluationVector([fine, broken], bounds)).counters).toEqual({
      examples: 2,
      currentLoss: 21,
      currentCorrect: 1,
    });
    expect(() => pairedVector([fine], [], bounds)).toThrow(RangeError);
  });
});
