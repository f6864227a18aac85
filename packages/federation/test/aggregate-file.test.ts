import { TributaryError } from "@tributary/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeAggregate, encodeAggregate, type Aggregate } from "../src/aggregation/index.ts";

const doubles = (length: number) =>
  fc
    .array(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e30, max: 1e30 }), {
      minLength: length,
      maxLength: length,
    })
    .map((values) => Float64Array.from(values));

const aggregates: fc.Arbitrary<Aggregate> = fc
  .tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 5 }), fc.boolean())
  .chain(([weights, statistics, controlled]) =>
    fc.record({
      weights: doubles(weights),
      statistics: doubles(statistics),
      updates: fc.integer({ min: 1, max: 1_000_000 }),
      totalExamples: fc.integer({ min: 1, max: 2 ** 40 }),
      ...(controlled ? { perStep: doubles(weights) } : {}),
    }),
  );

const countsOf = ({ weights, statistics }: Aggregate) => ({
  weightCount: weights.length,
  statisticCount: statistics.length,
});

/** As a server optimizer takes it. */
const rounded = (values: Float64Array): Float64Array => Float64Array.from(Float32Array.from(values));

function codeOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return TributaryError.is(error) ? error.code : String(error);
  }
}

describe("the aggregate of a round as a file", () => {
  test("holds what the server optimizer takes: weights in float32, statistics exactly; the same bytes for the same", () => {
    fc.assert(
      fc.property(aggregates, (aggregate) => {
        const { weights, perStep, ...exact } = aggregate;
        const bytes = encodeAggregate(aggregate);
        const read = decodeAggregate(bytes, countsOf(aggregate));
        expect(read).toEqual({
          ...exact,
          weights: rounded(weights),
          ...(perStep === undefined ? {} : { perStep: rounded(perStep) }),
        });
        expect(encodeAggregate(read)).toEqual(bytes);
      }),
    );
  });

  test("of other counts, or cut anywhere, is refused with a code", () => {
    fc.assert(
      fc.property(
        aggregates,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (aggregate, share) => {
          const bytes = encodeAggregate(aggregate);
          const { weightCount, statisticCount } = countsOf(aggregate);
          for (const counts of [
            { weightCount: weightCount + 1, statisticCount },
            { weightCount, statisticCount: statisticCount + 1 },
          ])
            expect(codeOf(() => decodeAggregate(bytes, counts))).toBe("store/corrupt");
          const cut = bytes.subarray(0, Math.floor(share * bytes.length));
          expect(codeOf(() => decodeAggregate(cut, countsOf(aggregate)))).toMatch(/^(?:safetensors|store)\//);
        },
      ),
    );
  });
});
