import { parseDocument, EstimateRequest, EstimateResult, parseTaskSpec } from "@tributary/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { localSteps, summarized, type EstimatedRound } from "../../src/estimates/summarize.ts";

const spec = parseTaskSpec({ name: "a", model: "m", local: { epochs: 2, batchSize: 10, maxExamples: 45 } });
const { goal, fleet } = parseDocument(
  "estimate",
  EstimateRequest,
  { task: spec, goal: { accuracy: 0.9 } },
  { defaults: true },
);

const round = (changes: Partial<EstimatedRound> = {}): EstimatedRound => ({
  purpose: "train",
  phase: "committed",
  offered: 10,
  cohort: 8,
  dropouts: 2,
  loss: 0.5,
  accuracy: 0.5,
  seconds: 10,
  clockSeconds: 10,
  bytesUp: 800,
  bytesDown: 1_000,
  ...changes,
});

test("rounds to an accuracy, figures of a device and of a round follow from the rows", () => {
  const rounds = [
    round({ accuracy: 0.8, seconds: 10, clockSeconds: 10 }),
    round({ phase: "abandoned", accuracy: null, seconds: 30, clockSeconds: 40, bytesUp: 0 }),
    round({ purpose: "gate", accuracy: null, clockSeconds: 45 }),
    round({ accuracy: 0.92, seconds: 20, clockSeconds: 72 }),
  ];
  const result = summarized(
    { rounds, data: "evaluation", drawnAgain: false, cpuSeconds: 2 },
    { goal, fleet },
    spec,
  );
  expect(result).toMatchObject({
    rounds: 2,
    abandoned: 1,
    roundsToAccuracy: 2,
    secondsToAccuracy: 72,
    accuracy: 0.92,
    roundSeconds: { low: 10, high: 20 },
    roundsPerHour: 100,
    perRound: { bytesUp: 1600 / 3, cohort: 8, dropouts: 2 },
    coordinatorCpuSeconds: 0.5,
    caveats: ["device-data", "device-speed", "availability", "few-rounds", "coordinator-share"],
  });
  expect(result.perDevice.bytesUp).toBeCloseTo(1600 / 30, 9);
  // 45 of 50 examples: five batches, twice, of 20 ms.
  expect(localSteps(spec, 50)).toBe(10);
  expect(result.perDevice.seconds).toBeCloseTo(0.2, 9);
});

test("random numbers say nothing of accuracy", () => {
  const result = summarized(
    { rounds: [round({ accuracy: 0.99 })], data: "random", drawnAgain: false, cpuSeconds: 1 },
    { goal, fleet },
    spec,
  );
  expect(result).toMatchObject({ accuracy: null, loss: null, roundsToAccuracy: null });
  expect(result.curve).toEqual([{ round: 1, seconds: 10, accuracy: null, loss: null }]);
  expect(result.caveats).toContain("random-data");
});

test("whatever the rounds were, the figures are what the API promises", () => {
  const anyRound = fc.record({
    purpose: fc.constantFrom("train" as const, "gate" as const),
    phase: fc.constantFrom("committed" as const, "abandoned" as const),
    offered: fc.nat(100),
    cohort: fc.nat(100),
    dropouts: fc.nat(100),
    loss: fc.option(fc.double({ min: 0, max: 9, noNaN: true }), { nil: null }),
    accuracy: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: null }),
    seconds: fc.double({ min: 0, max: 1e4, noNaN: true }),
    clockSeconds: fc.double({ min: 1, max: 1e6, noNaN: true }),
    bytesUp: fc.nat(),
    bytesDown: fc.nat(),
  });
  fc.assert(
    fc.property(
      fc.array(anyRound, { maxLength: 300 }),
      fc.constantFrom("evaluation" as const, "random" as const),
      (rounds, data) => {
        const result = summarized({ rounds, data, drawnAgain: true, cpuSeconds: 1 }, { goal, fleet }, spec);
        expect(() => parseDocument("estimate", EstimateResult, result)).not.toThrow();
        expect(result.curve.length).toBeLessThanOrEqual(120);
      },
    ),
    { numRuns: 50 },
  );
});
