import { learningRateAt, type LearningRateSchedule } from "@tributary/protocol";
import { expect, test } from "vitest";

const rates = (schedule: LearningRateSchedule, rounds: readonly number[]): number[] =>
  rounds.map((round) => learningRateAt(0.8, schedule, round));

test("constant", () => {
  expect(rates({ kind: "constant" }, [1, 2, 1000])).toEqual([0.8, 0.8, 0.8]);
});

test("step: times the factor after every so many rounds", () => {
  expect(rates({ kind: "step", factor: 0.5, everyRounds: 3 }, [1, 3, 4, 6, 7])).toEqual([
    0.8, 0.8, 0.4, 0.4, 0.2,
  ]);
});

test("exponential: times the factor after every round", () => {
  expect(rates({ kind: "exponential", factor: 0.5 }, [1, 2, 3])).toEqual([0.8, 0.4, 0.2]);
});

test("cosine: half way at half the rounds, and stays at the end", () => {
  const [first, half, last, later] = rates(
    { kind: "cosine", totalRounds: 10, finalShare: 0.5 },
    [1, 6, 11, 500],
  );
  expect(first).toBe(0.8);
  expect(half).toBeCloseTo(0.6, 12);
  expect(last).toBeCloseTo(0.4, 12);
  expect(later).toBe(last);
  expect(rates({ kind: "cosine", totalRounds: 10 }, [11])[0]).toBeCloseTo(0, 12);
});
