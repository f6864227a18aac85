import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkedExampleOptions } from "../../src/examples/checked-options.ts";
import { retained, type ExampleOptions, type PolicyEntry } from "../../src/examples/example-policy.ts";

const entry = (sequence: number, className: string, more: Partial<PolicyEntry> = {}): PolicyEntry => ({
  sequence,
  className,
  addedAtMs: 1000 * sequence,
  draw: ((sequence * 7919) % 1009) / 1009,
  contentHash: `h${sequence}`,
  ...more,
});

const entries = fc
  .array(
    fc.record({
      className: fc.option(fc.constantFrom("0", "1", "2"), { nil: undefined }),
      addedAtMs: fc.nat(10_000),
      draw: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      contentHash: fc.constantFrom("a", "b", "c", "d", "e", "f", "g"),
    }),
    { maxLength: 30 },
  )
  .map((all) => all.map((each, sequence): PolicyEntry => ({ ...each, sequence })));

const options = fc.record({
  maxExamples: fc.integer({ min: 1, max: 12 }),
  maxPerClass: fc.integer({ min: 1, max: 6 }),
  maxAgeMs: fc.integer({ min: 1000, max: 12_000 }),
  sampling: fc.constantFrom("newest" as const, "reservoir" as const),
  duplicates: fc.constantFrom("keep" as const, "drop" as const),
});

describe("which examples stay", () => {
  test("caps, ages and duplicates hold, nothing that could stay goes, and settling twice changes nothing", () => {
    fc.assert(
      fc.property(entries, options, (all, given) => {
        const policy = checkedExampleOptions(given);
        const stay = retained(policy, all, 10_000);
        const perClass = Map.groupBy(stay, ({ className }) => className);
        expect(stay.length).toBeLessThanOrEqual(policy.maxExamples);
        for (const [className, of] of perClass) {
          if (className !== undefined) expect(of.length).toBeLessThanOrEqual(policy.maxPerClass);
        }
        expect(stay.every(({ addedAtMs }) => 10_000 - addedAtMs < policy.maxAgeMs)).toBe(true);
        if (policy.duplicates === "drop") {
          expect(new Set(stay.map(({ contentHash }) => contentHash)).size).toBe(stay.length);
        }
        const alive = all.filter(({ addedAtMs }) => 10_000 - addedAtMs < policy.maxAgeMs);
        const isRoomy = alive.length <= Math.min(policy.maxExamples, policy.maxPerClass);
        if (isRoomy && policy.duplicates === "keep") expect(stay).toHaveLength(alive.length);
        expect(new Set(retained(policy, stay, 10_000))).toEqual(new Set(stay));
      }),
      { seed: 11 },
    );
  });

  test("adding one after the other leaves the same reservoir as adding all at once", () => {
    fc.assert(
      fc.property(entries, fc.integer({ min: 1, max: 6 }), (all, maxPerClass) => {
        const policy = checkedExampleOptions({ maxPerClass, sampling: "reservoir" });
        const oneByOne = all.reduce<PolicyEntry[]>((kept, each) => retained(policy, [...kept, each], 0), []);
        expect(new Set(oneByOne)).toEqual(new Set(retained(policy, all, 0)));
      }),
      { seed: 12 },
    );
  });

  test("of a class's reservoir each example that was ever added is as likely to stay", () => {
    const policy = checkedExampleOptions({ maxPerClass: 5, sampling: "reservoir" });
    // A linear congruential sequence (Numerical Recipes) stands for the device's randomness: the test is the same each time.
    let state = 12_345;
    const next = (): number => (state = (1_664_525 * state + 1_013_904_223) % 2 ** 32) / 2 ** 32;
    const stayed = Array.from({ length: 20 }, () => 0);
    const rounds = 4000;
    for (let round = 0; round < rounds; round++) {
      let kept: PolicyEntry[] = [];
      for (let at = 0; at < 20; at++) kept = retained(policy, [...kept, entry(at, "7", { draw: next() })], 0);
      for (const { sequence } of kept) stayed[sequence]! += 1;
    }
    // Each stays with probability 5/20: within 5 standard deviations of a binomial count.
    const deviation = Math.sqrt(rounds * 0.25 * 0.75);
    for (const count of stayed) expect(Math.abs(count - rounds * 0.25)).toBeLessThan(5 * deviation);
  });

  test("the newest stay by default, and a corrected label takes the place of the one before", () => {
    const all = [entry(0, "1"), entry(1, "2"), entry(2, "1"), entry(3, "1", { contentHash: "h1" })];
    const sequences = (given: ExampleOptions): number[] =>
      retained(checkedExampleOptions(given), all, 5000)
        .map(({ sequence }) => sequence)
        .toSorted((a, b) => a - b);
    expect(sequences({ maxExamples: 2 })).toEqual([2, 3]);
    expect(sequences({ maxPerClass: 1 })).toEqual([1, 3]);
    expect(sequences({ duplicates: "drop" })).toEqual([0, 2, 3]);
    expect(sequences({ maxAgeMs: 4000 })).toEqual([2, 3]);
  });

  test.each<[ExampleOptions, string]>([
    [{ maxExamples: 0 }, "maxExamples"],
    [{ maxExamples: 10_001 }, "maxExamples"],
    [{ maxPerClass: 1.5 }, "maxPerClass"],
    [{ maxAgeMs: 999 }, "maxAgeMs"],
    [{ sampling: "oldest" as never }, "sampling"],
    [{ duplicates: true as never }, "duplicates"],
  ])("%j is refused", (given, named) => {
    expect(() => checkedExampleOptions(given)).toThrow(named);
  });
});
