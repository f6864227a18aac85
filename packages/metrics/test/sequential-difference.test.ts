import { seededRandom } from "@tributary/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { observeDifference, readDifference, sequentialDifference } from "@tributary/metrics";

const ALPHA = 0.05;
const rate = fc.double({ min: 0, max: 1, noNaN: true });
const value = fc.double({ min: 0, max: 1, noNaN: true });
const values = fc.array(value, { maxLength: 12 });
const margin = fc.double({ min: -0.9, max: 0.9, noNaN: true });

/** Every outcome of so many yes or no, and its probability. */
function outcomes(count: number, probability: number): (readonly [number[], number])[] {
  return Array.from({ length: 2 ** count }, (_, bits) => {
    const drawn = Array.from({ length: count }, (__, i) => (bits >> i) & 1);
    return [
      drawn,
      drawn.reduce((product, one) => product * (one === 1 ? probability : 1 - probability), 1),
    ] as const;
  });
}

describe("a sequential test of a difference", () => {
  test("never expects its e-value to grow where the hypothesis holds, whatever was seen before", () => {
    fc.assert(
      fc.property(
        fc.record({ margin, t: rate, c: rate, treated: values, control: values }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        ({ margin: delta, t, c, treated, control }, n, m) => {
          // No more than one block, so that the sizes are those.
          const before = {
            ...observeDifference(sequentialDifference([delta], { interval: false }), { treated, control }),
            waiting: { treated: [], control: [] },
          };
          const [above0, below0] = [before.above[0]!, before.below[0]!];
          let [above, below] = [0, 0];
          for (const [ofTreated, p] of outcomes(n, t)) {
            for (const [ofControl, q] of outcomes(m, c)) {
              const after = observeDifference(before, { treated: ofTreated, control: ofControl });
              above += p * q * Math.exp(after.above[0]! - above0);
              below += p * q * Math.exp(after.below[0]! - below0);
            }
          }
          if (t - c <= delta) expect(above).toBeLessThanOrEqual(1 + 1e-6);
          if (t - c >= delta) expect(below).toBeLessThanOrEqual(1 + 1e-6);
        },
      ),
      { seed: 70, numRuns: 400 },
    );
  });

  test("gives the same in one look as device by device, where both sides come in step", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(value, value), { minLength: 1, maxLength: 40 }), (pairs) => {
        const treated = pairs.map(([first]) => first);
        const control = pairs.map(([, second]) => second);
        const once = observeDifference(sequentialDifference([0.02]), { treated, control });
        const byOne = pairs.reduce(
          (state, [first, second]) => observeDifference(state, { treated: [first], control: [second] }),
          sequentialDifference([0.02]),
        );
        for (const [i, each] of once.above.entries()) expect(byOne.above[i]).toBeCloseTo(each, 9);
        expect(byOne.treated.sum).toBeCloseTo(once.treated.sum, 9);
      }),
      { seed: 71, numRuns: 50 },
    );
  });

  test("waits for the other side, and forgets nothing meanwhile", () => {
    const alone = observeDifference(sequentialDifference([0]), { treated: [1, 1, 1], control: [] });
    expect(readDifference(alone, { margin: 0, alpha: ALPHA })).toMatchObject({ treated: null, worse: 1 });
    const both = observeDifference(alone, { treated: [], control: [0, 0, 0] });
    expect(readDifference(both, { margin: 0, alpha: ALPHA })).toMatchObject({ treated: 1, control: 0 });
  });

  test("the false-alarm rate stays below alpha though it is looked at after every device", () => {
    const runs = 200;
    let [worse, notWorse, missed] = [0, 0, 0];
    for (let run = 0; run < runs; run++) {
      const random = seededRandom(`alike ${run}`);
      let [alarm, passed, outside] = [false, false, false];
      let state = sequentialDifference([0]);
      for (let device = 0; device < 60; device++) {
        const draw = (): number => (random.next() < 0.3 ? 1 : 0);
        state = observeDifference(state, { treated: [draw()], control: [draw(), draw()] });
        const found = readDifference(state, { margin: 0, alpha: ALPHA });
        alarm ||= found.worse >= 1 / ALPHA;
        passed ||= found.notWorse >= 1 / ALPHA;
        outside ||= found.lower > 0 || found.upper < 0;
      }
      worse += Number(alarm);
      notWorse += Number(passed);
      missed += Number(outside);
    }
    expect(worse / runs).toBeLessThanOrEqual(ALPHA);
    expect(notWorse / runs).toBeLessThanOrEqual(ALPHA);
    expect(missed / runs).toBeLessThanOrEqual(2 * ALPHA);
  });

  test("sees harm, and that there is none, and says so by the interval too", () => {
    const all = (treated: number, control: number, devices: number) =>
      observeDifference(sequentialDifference([0.02]), {
        treated: Array.from({ length: devices }, (_, i) => (i % 10 < treated ? 1 : 0)),
        control: Array.from({ length: 4 * devices }, (_, i) => (i % 10 < control ? 1 : 0)),
      });
    const asked = { margin: 0.02, alpha: ALPHA };
    const bad = readDifference(all(5, 0, 20), asked);
    expect(bad.worse).toBeGreaterThan(1 / ALPHA);
    expect(bad.lower).toBeGreaterThanOrEqual(0.02);
    const good = readDifference(all(0, 0, 400), asked);
    expect(good.notWorse).toBeGreaterThan(1 / ALPHA);
    expect(good.upper).toBeLessThanOrEqual(0.02);
    expect(good.worse).toBeLessThan(1 / ALPHA);
  });

  test("refuses what is no value, and margins it was not made with", () => {
    expect(() => observeDifference(sequentialDifference([0]), { treated: [2], control: [] })).toThrow(
      RangeError,
    );
    expect(() => sequentialDifference([1])).toThrow(RangeError);
    expect(() => readDifference(sequentialDifference([0]), { margin: 0.123, alpha: 0.1 })).toThrow(
      RangeError,
    );
  });
});
