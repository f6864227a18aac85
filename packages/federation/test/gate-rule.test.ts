import { asModelVersion, asRoundId } from "@tributary/core";
import { advanceGate, gateReason, judge, type GateState } from "@tributary/federation";
import {
  addMetrics,
  createMetrics,
  pairedMetrics,
  pairedVector,
  readPaired,
  type MeasuredExample,
  type PairedSums,
} from "@tributary/metrics";
import type { GateSpec } from "@tributary/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const gate: GateSpec = {
  metric: "loss",
  heldOutShare: 0.1,
  requiredImprovement: 0,
  confidence: 0.95,
  patience: 3,
  minimumDevices: 5,
};
const context = {
  devices: 5,
  reference: asModelVersion(1),
  roundId: asRoundId("digits-2"),
  at: "2026-11-01T10:00:00.000Z",
  knowsHits: true,
};
const judged = (spec: Partial<GateSpec>, sums: PairedSums, devices = 5) =>
  judge({ ...gate, ...spec }, { ...context, sums, devices });

/** Of five devices, each with every fifth example. */
function sumsOf(pairs: readonly (readonly [MeasuredExample, MeasuredExample])[], maxLoss = 10): PairedSums {
  const sum = createMetrics(pairedMetrics);
  for (let device = 0; device < context.devices; device++) {
    const own = pairs.filter((_, i) => i % context.devices === device);
    const vector = pairedVector(
      own.map(([current]) => current),
      own.map(([, candidate]) => candidate),
      { maxLoss, maxDifference: 10 },
    );
    addMetrics(sum, vector);
  }
  return readPaired(sum);
}

const example = fc.record({ loss: fc.double({ min: 0, max: 4, noNaN: true }), correct: fc.boolean() });
const sums = fc
  .array(fc.tuple(example, example), { minLength: 5, maxLength: 80 })
  .map((pairs) => sumsOf(pairs));
const metric = fc.constantFrom("loss" as const, "accuracy" as const);
const required = fc.double({ min: -1, max: 1, noNaN: true });
const confidence = fc.double({ min: 0.5, max: 0.999, noNaN: true });

describe("a verdict", () => {
  test("passes exactly where the improvement is surely at least the required one", () => {
    fc.assert(
      fc.property(sums, metric, required, confidence, (measured, by, requiredImprovement, sure) => {
        const found = judged({ metric: by, requiredImprovement, confidence: sure }, measured);
        expect(found.result).toBe(found.lower! >= requiredImprovement ? "passed" : "failed");
        expect(found.lower).toBeLessThanOrEqual(found.improvement! + 0.5);
        expect(found.lower).toBeLessThanOrEqual(found.upper!);
      }),
      { seed: 40 },
    );
  });

  test("that passes also passes with less required, and with less confidence", () => {
    fc.assert(
      fc.property(sums, metric, required, confidence, (measured, by, requiredImprovement, sure) => {
        const spec = { metric: by, requiredImprovement, confidence: sure };
        fc.pre(judged(spec, measured).result === "passed");
        expect(judged({ ...spec, requiredImprovement: requiredImprovement - 0.1 }, measured).result).toBe(
          "passed",
        );
        expect(judged({ ...spec, confidence: 0.5 }, measured).result).toBe("passed");
      }),
      { seed: 41 },
    );
  });

  test("never passes both a version and its opposite, beyond what is the same for both", () => {
    fc.assert(
      fc.property(sums, metric, (measured, by) => {
        const opposite = {
          ...measured,
          difference: -measured.difference,
          deviceDifferenceProducts: -measured.deviceDifferenceProducts,
          deviceGainProducts: -measured.deviceGainProducts,
          lost: measured.gained,
          gained: measured.lost,
        };
        const spec = { metric: by, requiredImprovement: 1e-9 };
        const results = [judged(spec, measured).result, judged(spec, opposite).result];
        expect(results).toContain("failed");
      }),
      { seed: 42 },
    );
  });

  test("of too few devices, or too few examples for an interval, decides nothing", () => {
    const none = readPaired(createMetrics(pairedMetrics));
    expect(judged({}, none)).toMatchObject({ result: "undecided", improvement: null, lower: null });
    fc.assert(
      fc.property(sums, metric, fc.integer({ min: 0, max: 4 }), (measured, by, devices) => {
        expect(judged({ metric: by }, measured, devices).result).toBe("undecided");
      }),
      { seed: 43 },
    );
  });

  test("counts devices, not examples: what one device says is said by one", () => {
    const fine = { loss: 1, correct: true };
    const better = { loss: 0.5, correct: true };
    // A fifth of all examples improve a lot, which would do if they lay on many devices.
    const everyFifth = (chosen: (i: number) => boolean) =>
      sumsOf(Array.from({ length: 400 }, (_, i) => [fine, chosen(i) ? better : fine] as const));
    expect(
      judged(
        {},
        everyFifth((i) => i % 25 < 5),
      ).result,
    ).toBe("passed");
    expect(
      judged(
        {},
        everyFifth((i) => i % 5 === 0),
      ).result,
    ).toBe("failed");
  });

  test("of a diverged version fails, however few examples it shows on", () => {
    const fine = { loss: 1, correct: true };
    const diverged = { loss: Number.NaN, correct: false };
    const measured = sumsOf(
      Array.from({ length: 40 }, (_, i) => [fine, i < 12 ? diverged : fine] as const),
      1000,
    );
    for (const by of ["loss", "accuracy"] as const) {
      // Even where a good deal of worsening is allowed.
      expect(judged({ metric: by, requiredImprovement: -0.1 }, measured).result).toBe("failed");
    }
  });
});

describe("a gate's state", () => {
  const start: GateState = {
    reference: asModelVersion(1),
    candidate: null,
    failures: 0,
    last: null,
  };
  const verdict = { ...judged({}, readPaired(createMetrics(pairedMetrics))) };

  test("gives up after as many failures in a row as it is patient, and not before", () => {
    const results = fc.array(fc.constantFrom("passed" as const, "failed" as const, "undecided" as const), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(results, fc.integer({ min: 1, max: 6 }), (list, patience) => {
        let state = start;
        let inRow = 0;
        let passed = 1;
        for (const [i, result] of list.entries()) {
          const candidate = asModelVersion(i + 2);
          state = advanceGate({ ...state, candidate }, candidate, { ...verdict, result });
          if (result === "passed") passed = candidate;
          inRow = result === "passed" ? 0 : inRow + (result === "failed" ? 1 : 0);
          expect(state).toMatchObject({ candidate: null, failures: inRow, reference: passed });
          expect(gateReason(state, { patience, metric: "loss" })?.code).toBe(
            inRow >= patience ? "gate" : undefined,
          );
          expect(state.last?.result).toBe(result);
        }
      }),
      { seed: 44 },
    );
  });
});
