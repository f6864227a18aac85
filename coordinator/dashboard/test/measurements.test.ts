import type { VerdictView } from "@tributary/api-client";
import { describe, expect, test } from "vitest";
import { gateLines, releaseWord } from "../src/model/gate-lines.ts";
import { histogramBars } from "../src/model/histogram-bars.ts";
import { aTask, aVersion } from "./views.ts";

const verdict: VerdictView = {
  result: "passed",
  metric: "accuracy",
  reference: 5,
  devices: 16,
  examples: 900,
  improvement: 0.021,
  lower: 0.004,
  upper: 0.038,
  requiredImprovement: 0,
  confidence: 0.95,
  mcNemarP: 0.01,
  roundId: "digits-12",
  at: "2026-11-01T10:00:00.000Z",
};
const spec = {
  ...aTask().spec,
  release: "on-gate",
  gate: {
    metric: "accuracy",
    heldOutShare: 0.1,
    requiredImprovement: 0,
    confidence: 0.95,
    patience: 3,
    minimumDevices: 16,
  },
} as const;
const gate = { reference: 5, candidate: null, failures: 0, patience: 3, last: null };

describe("a gate", () => {
  test("is none of a task without one", () => {
    expect(gateLines(aTask())).toBeUndefined();
  });

  test("waits, passes, fails and pauses in words", () => {
    expect(gateLines({ reason: null, spec, gate })).toMatchObject({
      state: "waiting",
      next: "Only versions that pass are released.",
    });
    expect(gateLines({ reason: null, spec, gate: { ...gate, last: verdict, candidate: 7 } })).toEqual({
      state: "passed",
      sentence: "The last candidate passed: accuracy improved by +2.1 points over version 5.",
      evidence:
        "+0.4 to +3.8, each bound with 95.0%; at least ±0.0 is required. 900 examples of 16 held-out devices.",
      next: "Version 7 is being compared with version 5. Only versions that pass are released.",
    });
    const failed = { ...gate, failures: 2, last: { ...verdict, result: "failed" as const } };
    expect(gateLines({ reason: null, spec, gate: failed })?.next).toMatch(/^2 of 3 failures in a row/);
    expect(
      gateLines({ reason: { code: "gate", message: "3 versions failed" }, spec, gate: failed })?.next,
    ).toBe("Paused: 3 versions failed.");
    const none = { ...verdict, result: "undecided" as const, improvement: null, lower: null, upper: null };
    expect(gateLines({ reason: null, spec, gate: { ...gate, last: none } })).toMatchObject({
      state: "undecided",
      evidence: undefined,
    });
  });

  test("withholds what failed, and has candidates of what is newer than the released", () => {
    const waiting = { ...aVersion(7, 6), releasedAt: null };
    expect(releaseWord(aVersion(6, 5), 6)).toBe("released");
    expect(releaseWord(waiting, 6)).toBe("candidate");
    expect(releaseWord({ ...waiting, gate: { ...verdict, result: "failed" } }, 6)).toBe("withheld");
    expect(releaseWord({ ...waiting, version: 5 }, 6)).toBeUndefined();
    // It was released once.
    expect(releaseWord(aVersion(7, 6), 6)).toBe("rolled back");
  });
});

test("a histogram's bars begin and end where something was counted", () => {
  expect(histogramBars({ edges: [1, 10, 100], counts: [0, 0, 0, 0] })).toEqual([]);
  expect(histogramBars({ edges: [1, 10, 100], counts: [0, 4, 0, 8] })).toEqual([
    { height: 0.5, label: "1 to 10: 4" },
    { height: 0, label: "10 to 100: 0" },
    { height: 1, label: "from 100: 8" },
  ]);
  expect(histogramBars({ edges: [1, 10], counts: [2, 0, 0] })).toEqual([{ height: 1, label: "below 1: 2" }]);
});
