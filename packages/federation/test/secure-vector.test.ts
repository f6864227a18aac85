import { systemRandom } from "@tributary/core";
import { addVector, decodeSum, encodeContribution, planEncoding } from "@tributary/secagg";
import fc from "fast-check";
import { expect, test } from "vitest";
import { fromSecureSegments, secureEncoding, toSecureSegments } from "../src/index.ts";

const MAX_EXAMPLES = 50;

const counts = fc.record({
  weightCount: fc.integer({ min: 1, max: 40 }),
  statisticCount: fc.integer({ min: 0, max: 12 }),
});

test("the sum of members' vectors is that of their weighted weights and statistics, each within its own rounding", () => {
  fc.assert(
    fc.property(
      counts,
      fc.array(
        fc.record({
          examples: fc.integer({ min: 1, max: MAX_EXAMPLES }),
          phase: fc.double({ min: 0, max: 6, noNaN: true }),
        }),
        {
          minLength: 2,
          maxLength: 4,
        },
      ),
      ({ weightCount, statisticCount }, members) => {
        const plan = planEncoding(
          secureEncoding({
            clients: 4,
            weightCount,
            statisticCount,
            maxExamples: MAX_EXAMPLES,
            maxSteps: 10,
            maxExampleLoss: 10,
            maxUpdateNorm: 20,
            maxStatisticChange: 3,
            valueBits: 20,
            rotationSeed: "task 1",
          }),
        );
        expect(plan.segments.map(({ segment }) => segment.codec)).toEqual([
          "update",
          ...(statisticCount === 0 ? [] : ["state"]),
          "counts",
          "counts",
          "reals",
        ]);
        const length = weightCount + statisticCount;
        const updates = members.map(({ phase }) =>
          Float32Array.from({ length }, (_, i) => Math.sin(i + phase) * (i < weightCount ? 1 : 3)),
        );
        const sum = new Uint32Array(plan.vectorLength);
        for (const [i, { examples }] of members.entries()) {
          const totals = { examples, correct: 0, steps: 1, lossSum: 1 };
          const values = toSecureSegments(updates[i]!, weightCount, totals);
          addVector(sum, encodeContribution(plan, { weight: examples, values }, systemRandom).vector.spend());
        }
        const decoded = decodeSum(plan, sum, members.length) as Float64Array<ArrayBuffer>[];
        const { weights, statistics, totals } = fromSecureSegments(decoded);
        expect(totals.examples).toBe(members.reduce((all, { examples }) => all + examples, 0));
        expect([weights.length, statistics.length]).toEqual([weightCount, statisticCount]);
        for (const [i, value] of [...weights, ...statistics].entries()) {
          const expected = members.reduce(
            (all, { examples }, m) => all + (examples / MAX_EXAMPLES) * updates[m]![i]!,
            0,
          );
          // Weights share their rounding over a block; a statistic has its own, and finer codes.
          const { step } = plan.segments[i < weightCount ? 0 : 1]!;
          const most = members.length * step * (i < weightCount ? Math.sqrt(weightCount) : 1);
          expect(Math.abs(value - expected)).toBeLessThan(most + 1e-9);
        }
      },
    ),
    { numRuns: 60, seed: 3 },
  );
});
