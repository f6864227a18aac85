import type { DriftHistory, DriftMetric } from "@tributary/api-client";
import { expect, test } from "vitest";
import { driftCourse } from "../src/model/drift-course.ts";

/** A page of measurements, newest first: rounds by number, and what each says of a metric. */
function pageOf(
  rounds: readonly number[],
  metrics: Readonly<Record<string, readonly (number | null)[]>>,
): DriftHistory {
  const history = (values: readonly (number | null)[]): DriftMetric["history"] =>
    values.map((psi) => (psi === null ? null : { psi, psiLimit: 0.1, count: 9, beyondNoise: false }));
  return {
    task: "watch",
    measurements: rounds.map((number) => ({
      roundId: `watch-${number}`,
      version: 1,
      at: "2026-11-01T10:00:00.000Z",
      devices: 3,
    })),
    metrics: Object.entries(metrics).map(([name, values]) => ({ name, history: history(values) })),
    next: null,
  } as unknown as DriftHistory;
}

test("pages are one course, oldest first; what an older page does not have is a gap in it", () => {
  const { measurements, metrics } = driftCourse([
    pageOf([5, 4], { labels: [0.5, null], confidence: [0.3, 0.2] }),
    pageOf([3, 2], { labels: [0.1, 0.05], gone: [9, 9] }),
  ]);
  expect(measurements.map(({ roundId }) => roundId)).toEqual(["watch-2", "watch-3", "watch-4", "watch-5"]);
  expect(metrics.map(({ name, history }) => [name, history.map((point) => point?.psi ?? null)])).toEqual([
    ["labels", [0.05, 0.1, null, 0.5]],
    ["confidence", [null, null, 0.2, 0.3]],
  ]);
});
