import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nextSize, type MeasuredRuns } from "../../src/participation/micro-batch-size.ts";

const SIZES = [1, 2, 4, 8, 16, 32];
const BOUND = 40;

/** Sizes as a training goes through them, where a run takes `fixedMs` and `eachMs` an example. */
function course(fixedMs: number, eachMs: number, from = 1): { sizes: number[]; longest: number } {
  const measured = new Map<number, MeasuredRuns>();
  const sizes = [from];
  for (let batch = 0; batch < 12; batch++) {
    const size = sizes.at(-1)!;
    measured.set(size, { count: 1, medianMs: fixedMs + eachMs * size });
    const next = nextSize(SIZES, size, (each) => measured.get(each), BOUND);
    if (next !== size) sizes.push(next);
  }
  const longest = Math.max(...Array.from(measured.values(), ({ medianMs }) => medianMs));
  return { sizes, longest };
}

describe("the size of micro-batches", () => {
  test("goes up from one example to the largest that keeps to the bound", () => {
    expect(course(2, 6)).toEqual({ sizes: [1, 2, 4], longest: 26 });
    expect(course(0, 1)).toEqual({ sizes: [1, 2, 4, 8, 16, 32], longest: 32 });
  });

  test("a large cost of every run holds up no search", () => {
    expect(course(22, 0.5)).toEqual({ sizes: [1, 2, 4, 8, 16, 32], longest: 38 });
  });

  test("comes down from a size that was remembered of a faster device, and stays there", () => {
    expect(course(1, 9, 16).sizes).toEqual([16, 8, 4]);
  });

  test("one example is the least, however long it takes", () => {
    expect(course(0, 100)).toEqual({ sizes: [1], longest: 100 });
  });

  test("no search tries a run of more than a quarter above the bound, where one example allows", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 20 }), fc.double({ min: 0.01, max: 20 }), (fixedMs, eachMs) => {
        if (Number.isNaN(fixedMs + eachMs)) return;
        const { sizes, longest } = course(fixedMs, eachMs);
        expect(longest).toBeLessThanOrEqual(1.25 * BOUND);
        const last = sizes.at(-1)!;
        expect(fixedMs + eachMs * last).toBeLessThanOrEqual(BOUND);
      }),
      { seed: 7 },
    );
  });
});
