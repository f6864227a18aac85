import type { VerdictView } from "@tributary/api-client";
import { describe, expect, test } from "vitest";
import { gateLines, releaseWord } from "../src/model/gate-lines.ts";
import { driftWords, referenceWords } from "../src/model/drift-words.ts";
import { histogramBars, histogramTitle } from "../src/model/histogram-bars.ts";
import { intervalMarks } from "../src/model/interval-marks.ts";
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
      sentence: "The last candidate passed: its accuracy is 2.1 points higher than that of version 5.",
      interval: {
        lower: 0.004,
        improvement: 0.021,
        upper: 0.038,
        required: 0,
        low: "+0.4",
        high: "+3.8",
        needed: "±0.0",
      },
      evidence:
        "Improvement between +0.4 and +3.8 points, each bound with 95.0% confidence; it may not be below 0. Measured on 900 examples of 16 held-out devices.",
      next: "Version 7 is being compared with version 5. Only versions that pass are released.",
    });
    const failed = { ...gate, failures: 2, last: { ...verdict, result: "failed" as const } };
    expect(gateLines({ reason: null, spec, gate: failed })?.next).toMatch(/^2 of 3 failures in a row/);
    expect(
      gateLines({ reason: { code: "gate", message: "3 versions failed" }, spec, gate: failed })?.next,
    ).toBe("Paused after 2 failures in a row; version 5 is the last that passed.");
    const worse = { ...verdict, metric: "loss" as const, improvement: -0.2, lower: -0.3, upper: -0.1 };
    expect(gateLines({ reason: null, spec, gate: { ...gate, last: worse } })?.sentence).toMatch(
      /its loss is 0\.200 higher than that of version 5\.$/,
    );
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

test("a histogram's bars are those around what was counted, a dozen at least", () => {
  expect(histogramBars({ edges: [1, 10, 100], counts: [0, 0, 0, 0] })).toEqual([]);
  expect(histogramBars({ edges: [1, 10, 100], counts: [0, 4, 0, 8] })).toEqual([
    { height: 0, range: "below 1", count: 0 },
    { height: 0.5, range: "1 to 10", count: 4 },
    { height: 0, range: "10 to 100", count: 0 },
    { height: 1, range: "from 100", count: 8 },
  ]);
  const edges = Array.from({ length: 40 }, (_, i) => i);
  const counts = (bins: readonly number[]) => edges.concat(40).map((bin) => Number(bins.includes(bin)));
  const shown = (...bins: number[]) => {
    const bars = histogramBars({ edges, counts: counts(bins) });
    return [bars[0]!.range, bars.at(-1)!.range, bars.length];
  };
  expect(shown(20)).toEqual(["13 to 14", "24 to 25", 12]);
  expect(shown(0)).toEqual(["below 0", "10 to 11", 12]);
  expect(shown(40)).toEqual(["28 to 29", "from 39", 12]);
  expect(shown(5, 35)).toEqual(["4 to 5", "34 to 35", 31]);
});

test("an interval lies on a line with no change and with what is required", () => {
  const marks = intervalMarks({ lower: -0.5, improvement: 0, upper: 0.5, required: 0 });
  expect(marks.improvement).toBeCloseTo(50);
  expect(marks.required).toBeCloseTo(50);
  expect(marks.lower).toBeGreaterThan(0);
  expect(marks.upper).toBeLessThan(100);
  // All that was measured is the same.
  expect(intervalMarks({ lower: 0, improvement: 0, upper: 0, required: 0 }).required).toBeGreaterThan(0);
});

test("drift is told beside what chance alone would do", () => {
  const drift = {
    metric: "confidence",
    reference: { source: "measurement" as const, roundId: "how-1", version: 3, count: 90 },
    count: 100,
    psi: 0.4123,
    psiExpected: 0.1,
    psiLimit: 0.2,
    ks: 0.25,
    ksExpected: 0.1,
    ksLimit: 0.15,
    beyondNoise: true,
  };
  expect(driftWords(drift)).toBe("drift: PSI 0.41, by chance below 0.2; KS 0.25, below 0.15");
  expect(referenceWords([drift])).toBe("Drift is measured against the first round (how-1, version 3).");
  const dataset = {
    ...drift,
    reference: { source: "dataset" as const, roundId: null, version: null, count: 9 },
  };
  expect(referenceWords([dataset])).toBe("Drift is measured against the task's reference data set.");
  expect(referenceWords([dataset, drift])).toBe(
    "Drift is measured against the task's reference data set; of what that says nothing of, against the first round (how-1, version 3).",
  );
  expect(driftWords({ ...drift, beyondNoise: false, ks: null, ksLimit: null })).toBe(
    "no drift: PSI 0.41, by chance below 0.2",
  );
  expect(["latency.ort-wasm", "features.image.mean", "memory"].map(histogramTitle)).toEqual([
    "milliseconds on ort-wasm",
    "input image.mean",
    "bytes of memory of the engine",
  ]);
});
