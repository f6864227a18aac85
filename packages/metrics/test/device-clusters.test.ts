import {
  accuracyInterval,
  addMetrics,
  createMetrics,
  designEffect,
  lossInterval,
  mcNemarTest,
  pairedMetrics,
  pairedTTest,
  pairedVector,
  readPaired,
  type MeasuredExample,
} from "@tributary/metrics";
import { seededRandom, type SeededRandom } from "@tributary/core";
import { describe, expect, test } from "vitest";
import { clusteredError } from "../src/device-clusters.ts";

const bounds = { maxLoss: 1000, maxDifference: 10 };

/** What devices with these differences, one each example, add up to. */
function sumsOf(devices: readonly (readonly number[])[]) {
  const sum = createMetrics(pairedMetrics);
  for (const differences of devices) {
    const current = differences.map((): MeasuredExample => ({ loss: 100, correct: true }));
    const candidate = differences.map((d): MeasuredExample => ({ loss: 100 + d, correct: true }));
    addMetrics(sum, pairedVector(current, candidate, bounds));
  }
  return { ...readPaired(sum), devices: devices.length };
}

// Golden values by numpy and scipy 1.17, from the devices' own totals.
describe("devices as clusters", () => {
  const devices = [[0.5, 0.25, 0.75], [-0.25, 0], [1, 0.5, 0.25, 0.25, 0.5], [-0.5], [0.25, -0.25, 0.5, 0]];

  test("the error of a mean follows from the sums over devices of unequal size", () => {
    const sums = sumsOf(devices);
    const found = lossInterval(sums, 0.95)!;
    expect(found.mean).toBe(0.25);
    expect(found.standardError).toBeCloseTo(0.13944333775567927, 12);
    expect(found.lower).toBeCloseTo(-0.04727183146910641, 9);
    expect(found.upper).toBeCloseTo(0.5472718314691064, 9);
    expect(pairedTTest(sums)).toBeCloseTo(0.1474616845414648, 9);
    expect(designEffect(sums)).toBeCloseTo(1.814814814814815, 9);
  });

  test("so do the interval and the test of accuracy", () => {
    const sums = {
      devices: 6,
      examples: 220,
      lost: 16,
      gained: 44,
      deviceExampleSquares: 8650,
      deviceGainSquares: 246,
      deviceGainProducts: 1210,
    };
    const found = accuracyInterval(sums, 0.95)!;
    expect(found.mean).toBeCloseTo(28 / 220, 12);
    expect(found.standardError).toBeCloseTo(0.04400855546405942, 12);
    expect(found.lower).toBeCloseTo(0.03744675802553704, 9);
    expect(found.upper).toBeCloseTo(0.2148054942267152, 9);
    // The exact test, for independent examples, says 0.0004.
    expect(mcNemarTest(sums)).toBeCloseTo(0.10317111519173609, 6);
  });

  test("need two devices, and examples on each", () => {
    const sums = { devices: 2, examples: 9, total: 3, exampleSquares: 41, totalSquares: 5, products: 14 };
    expect(clusteredError(sums)).toBeGreaterThan(0);
    expect(clusteredError({ ...sums, devices: 1 })).toBeUndefined();
    expect(clusteredError({ ...sums, examples: 1 })).toBeUndefined();
  });
});

/** The same sums, straight from the numbers: what is averaged, of each device's examples. */
function clustersOf(devices: readonly (readonly number[])[]) {
  const clusters = devices.map((values) => ({ n: values.length, total: sumOf(values) }));
  const over = (value: (of: { n: number; total: number }) => number): number => sumOf(clusters.map(value));
  return {
    devices: devices.length,
    examples: over(({ n }) => n),
    total: over(({ total }) => total),
    exampleSquares: over(({ n }) => n ** 2),
    totalSquares: over(({ total }) => total ** 2),
    products: over(({ n, total }) => n * total),
  };
}
const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

const CONFIDENCE = 0.9;
const RUNS = 1_000;
/** Examples of twelve devices. */
const SIZES = Array.from({ length: 12 }, (_, i) => 5 + Math.round((35 * i) / 11));

/** How often each alarm is raised over many fleets: by devices as clusters, and with each example as if on a device of its own. */
function alarms(
  label: string,
  fleet: (random: SeededRandom) => readonly (readonly number[])[],
  isAlarm: (sums: ReturnType<typeof clustersOf>, values: readonly number[]) => boolean,
) {
  const random = seededRandom(label);
  const raised = { clustered: 0, independent: 0 };
  for (let i = 0; i < RUNS; i++) {
    const devices = fleet(random);
    const values = devices.flat();
    if (isAlarm(clustersOf(devices), values)) raised.clustered += 1 / RUNS;
    if (isAlarm(clustersOf(values.map((value) => [value])), values)) raised.independent += 1 / RUNS;
  }
  return raised;
}

describe("a gate's false alarms, of versions that are equally good", () => {
  const onLoss = ({ devices, examples, total, ...of }: ReturnType<typeof clustersOf>): boolean =>
    lossInterval(
      {
        devices,
        examples,
        difference: total,
        deviceExampleSquares: of.exampleSquares,
        deviceDifferenceSquares: of.totalSquares,
        deviceDifferenceProducts: of.products,
      },
      CONFIDENCE,
    )!.upper < 0;

  const normals = (random: SeededRandom, shared: number) =>
    SIZES.map((size) => {
      const ofDevice = shared * random.normal();
      return Array.from({ length: size }, () => ofDevice + 0.8 * random.normal());
    });

  test("stay near their nominal level where examples of a device are alike, and do not by the count of examples", () => {
    const raised = alarms("alike", (random) => normals(random, 0.4), onLoss);
    expect(raised.clustered).toBeGreaterThan(0.07);
    expect(raised.clustered).toBeLessThan(0.14);
    expect(raised.independent).toBeGreaterThan(0.2);
  });

  test("stay there where examples are independent", () => {
    const raised = alarms("independent", (random) => normals(random, 0), onLoss);
    for (const share of Object.values(raised)) {
      expect(share).toBeGreaterThan(0.07);
      expect(share).toBeLessThan(0.14);
    }
  });

  // A device's discordant examples lean to one of the versions, and devices to neither: 1 gained, -1 lost.
  const leaning = (random: SeededRandom) =>
    SIZES.map((size) => {
      const lean = random.next();
      return Array.from({ length: size }, () => {
        if (random.next() >= 0.3) return 0;
        return random.next() < lean ? 1 : -1;
      });
    });
  const discordant = (sums: ReturnType<typeof clustersOf>, values: readonly number[]) => ({
    devices: sums.devices,
    examples: sums.examples,
    lost: values.filter((value) => value < 0).length,
    gained: values.filter((value) => value > 0).length,
    deviceExampleSquares: sums.exampleSquares,
    deviceGainSquares: sums.totalSquares,
    deviceGainProducts: sums.products,
  });

  test("do so on accuracy", () => {
    const raised = alarms(
      "accuracy",
      leaning,
      (sums, values) => accuracyInterval(discordant(sums, values), CONFIDENCE)!.lower > 0,
    );
    expect(raised.clustered).toBeGreaterThan(0.05);
    expect(raised.clustered).toBeLessThan(0.14);
    expect(raised.independent).toBeGreaterThan(0.16);
  });

  test("and by McNemar's test", () => {
    const raised = alarms(
      "mcnemar",
      leaning,
      (sums, values) => mcNemarTest(discordant(sums, values))! < 1 - CONFIDENCE,
    );
    expect(raised.clustered).toBeGreaterThan(0.04);
    expect(raised.clustered).toBeLessThan(0.12);
    expect(raised.independent).toBeGreaterThan(0.16);
  });
});
