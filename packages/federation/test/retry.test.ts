import { seededRandom } from "@tributary/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { failuresAfter, giveUpReason, retryDelayMs } from "../src/index.ts";

const rules = { maxConsecutiveFailures: 5, backoffMs: 500, maxBackoffMs: 30_000 };

test("property: waits double up to their maximum, the upper half drawn", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2_000 }), fc.integer(), (failures, seed) => {
      const most = Math.min(30_000, 500 * 2 ** (failures - 1));
      const delayMs = retryDelayMs(rules, failures, seededRandom(seed));
      expect(delayMs).toBeGreaterThanOrEqual(most / 2);
      expect(delayMs).toBeLessThanOrEqual(most);
    }),
    { seed: 2, numRuns: 100 },
  );
});

test("what says nothing of the next round is no failure", () => {
  expect(failuresAfter(3, { phase: "abandoned", reason: "round/too-few-ready" })).toBe(4);
  expect(failuresAfter(3, { phase: "committed", reason: null })).toBe(0);
  for (const reason of ["round/task-paused", "round/base-replaced", "round/outside-schedule"]) {
    expect(failuresAfter(3, { phase: "abandoned", reason })).toBe(0);
  }
});

test("a task gives up after its number of failures in a row, and says what failed", () => {
  expect(giveUpReason(rules, 4, "round/too-few-ready")).toBeUndefined();
  expect(giveUpReason(rules, 5, "round/too-few-ready")).toEqual({
    code: "consecutive-failures",
    message: "5 rounds in a row failed, the last with round/too-few-ready",
  });
  expect(giveUpReason({ ...rules, maxConsecutiveFailures: null }, 1e6, null)).toBeUndefined();
});
