import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { seededRandom } from "@tributary/core";
import { floatsOf, ortNode, type TestEngine } from "../support/engines.ts";
import { RANDOM_CASES } from "../support/random-cases.ts";
import { interpret } from "../support/reference.ts";
import { buildCase, relativeError, slope } from "../support/rule-cases.ts";

const full = process.env["TRIBUTARY_TEST_FULL"] === "1";
const [SEED, RUNS] = [20_261_128, full ? 500 : 25];

describe("gradient rules at random shapes and attributes", () => {
  let engine: TestEngine;
  beforeAll(async () => {
    engine = await ortNode();
  });

  test.each(RANDOM_CASES)(
    `%s (${RUNS} cases)`,
    async (_, cases) => {
      const property = fc.asyncProperty(cases, fc.constantFrom("cpu", "webgpu"), async (rule, target) => {
        const built = buildCase(rule, target);
        const session = await engine.load(built.model);
        const feeds = [...built.values, ...built.seeds].map(([name, { shape, data }]) => [
          name,
          new engine.Tensor("float32", Float32Array.from(data), shape),
        ]);
        const outputs = await session.run(Object.fromEntries(feeds));
        await session.release();
        const reference = interpret([built.node], new Map([...built.values, ...built.constants]));
        for (const name of built.node.outputs) {
          const y = reference.get(name)!;
          expect(outputs[name]!.dims, name).toEqual(y.shape);
          expect(relativeError(floatsOf(outputs[name]), y.data), name).toBeLessThan(1e-5);
        }
        for (const [name, { shape, data }] of built.values) {
          expect(outputs[`d${name}`]!.dims, name).toEqual(shape);
          const random = seededRandom(`along ${name}`);
          const direction = data.map(() => random.normal());
          const gradient = floatsOf(outputs[`d${name}`]);
          const along = direction.reduce((sum, value, i) => sum + value * gradient[i]!, 0);
          const expected = slope(built, name, direction);
          const lengths = [direction, gradient].map((list) => Math.hypot(...list));
          expect(Math.abs(along - expected), name).toBeLessThan(2e-6 * (lengths[0]! * lengths[1]! + 1));
        }
      });
      await fc.assert(property, { seed: SEED, numRuns: RUNS });
    },
    full ? 600_000 : 60_000,
  );
});
