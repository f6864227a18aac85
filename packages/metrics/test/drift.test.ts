import { seededRandom } from "@tributary/core";
import { createHistogram, driftOf, linearBins, observe, type Histogram } from "@tributary/metrics";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const bins = linearBins({ from: 0, to: 1, count: 8 });
const filled = (...counts: number[]): Histogram =>
  createHistogram({ edges: [1, 2, 3], spacing: "linear" }, Float64Array.from(counts));

describe("drift", () => {
  test("is what its formulas say", () => {
    // Shares of (c + 1/2) / (n + 3/2): 80.5, 20.5, 0.5 of 101.5 and 50.5, 50.5, 0.5 of 101.5 without the bin that nobody has.
    const drift = driftOf(filled(80, 20, 0, 0), filled(50, 50, 0, 0))!;
    const [p, q] = [
      [80.5 / 101, 20.5 / 101],
      [50.5 / 101, 50.5 / 101],
    ] as const;
    const psi = (q[0] - p[0]) * Math.log(q[0] / p[0]) + (q[1] - p[1]) * Math.log(q[1] / p[1]);
    expect(drift.psi).toBeCloseTo(psi, 12);
    expect(drift).toMatchObject({ bins: 2, referenceCount: 100, count: 100 });
    expect(drift.ks).toBeCloseTo(0.3, 12);
    expect(drift.psiExpected).toBeCloseTo(0.02, 12);
    // scipy.stats.kstwobign: mean 0.8687, 95 % 1.3581; n m / (n + m) = 50.
    expect(drift.ksExpected).toBeCloseTo(0.8687 / Math.sqrt(50), 4);
    expect(drift.ksLimit).toBeCloseTo(1.3581 / Math.sqrt(50), 4);
  });

  test("is finite where one has nothing of what the other has, and nothing of nothing", () => {
    const drift = driftOf(filled(0, 100, 0, 0), filled(0, 0, 0, 100), { ordered: false })!;
    expect(drift.psi).toBeGreaterThan(5);
    expect(drift.psi).toBeLessThan(20);
    expect(drift.ks).toBeUndefined();
    expect(driftOf(filled(0, 0, 0, 0), filled(1, 1, 1, 1))).toBeUndefined();
    expect(driftOf(filled(0, 7, 0, 0), filled(0, 5, 0, 0))).toMatchObject({ psi: 0, psiLimit: 0, ks: 0 });
    expect(() => driftOf(filled(1, 1, 1, 1), createHistogram(bins))).toThrow(RangeError);
  });

  test("is never negative, and the PSI is the same both ways", () => {
    const counts = fc.array(fc.nat(1000), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(counts, counts, (a, b) => {
        const there = driftOf(filled(...a), filled(...b));
        const back = driftOf(filled(...b), filled(...a));
        if (there === undefined || back === undefined) return;
        expect(there.psi).toBeGreaterThanOrEqual(0);
        expect(there.psi).toBeCloseTo(back.psi, 9);
        expect(there.ks).toBeCloseTo(back.ks!, 12);
        expect(there.ks).toBeLessThanOrEqual(1);
      }),
    );
  });

  test("of two samples without drift is what is expected of noise", () => {
    const random = seededRandom("drift");
    const sample = (size: number): Histogram => {
      const histogram = createHistogram(bins);
      for (let i = 0; i < size; i++) observe(histogram, random.next());
      return histogram;
    };
    const drifts = Array.from({ length: 400 }, () => driftOf(sample(500), sample(200))!);
    const mean = (values: readonly number[]) => values.reduce((a, b) => a + b) / values.length;
    const [{ psiExpected, psiLimit, ksLimit }] = drifts as [(typeof drifts)[number]];
    // 7 (1/500 + 1/200)
    expect(psiExpected).toBeCloseTo(0.049, 12);
    expect(mean(drifts.map(({ psi }) => psi)) / psiExpected).toBeGreaterThan(0.85);
    expect(mean(drifts.map(({ psi }) => psi)) / psiExpected).toBeLessThan(1.15);
    expect(mean(drifts.map(({ psi }) => (psi > psiLimit ? 1 : 0)))).toBeGreaterThan(0.02);
    expect(mean(drifts.map(({ psi }) => (psi > psiLimit ? 1 : 0)))).toBeLessThan(0.09);
    expect(mean(drifts.map(({ ks }) => (ks! > ksLimit! ? 1 : 0)))).toBeLessThan(0.06);
  });
});
