import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { drawExamples } from "../../src/personal/held-back-draws.ts";

const example = (value: number, label: number) => ({ inputs: [Float32Array.of(value)], label });

describe("examples that a personalisation holds back", () => {
  test("are of each class the share asked for, and one at least", async () => {
    const all = Array.from({ length: 50 }, (_, i) => example(i, i % 5));
    const draws = await drawExamples(all, "seed");
    const { heldBack, learned } = draws.split(draws.bounds(0.2));
    expect(heldBack.map(({ label }) => label).toSorted()).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
    expect(learned).toHaveLength(40);
    const few = await drawExamples(all.slice(0, 5), "seed");
    expect(few.split(few.bounds(0.1)).heldBack).toHaveLength(1);
  });

  test("stay held back, and none that was learned from joins them, whatever comes and goes", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 0, max: 999 }), { minLength: 5, maxLength: 30 }),
        fc.uniqueArray(fc.integer({ min: 1000, max: 1999 }), { maxLength: 20 }),
        async (first, more) => {
          const all = first.map((value) => example(value, value % 3));
          const draws = await drawExamples(all, "seed");
          const bounds = draws.bounds(0.3);
          const before = draws.split(bounds);
          const later = [...more.map((value) => example(value, value % 3)), ...all.slice(2)];
          const { heldBack } = (await drawExamples(later, "seed")).split(bounds);
          expect(heldBack.filter((each) => before.learned.includes(each))).toEqual([]);
          for (const each of before.heldBack) expect(heldBack.includes(each)).toBe(later.includes(each));
        },
      ),
      { seed: 11, numRuns: 30 },
    );
  });
});
