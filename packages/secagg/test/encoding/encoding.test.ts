import { decode, encode, systemRandom } from "@tributary/core";
import { codeOf } from "@tributary/core/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeSum,
  describeEncoding,
  encodeContribution,
  EncodingSpec,
  planEncoding,
  rotate,
  rotateBack,
  type Segment,
} from "../../src/index.ts";
import { smallPlan } from "../support/cohort.ts";

const update = (overrides: Partial<Extract<Segment, { codec: "update" }>> = {}): Segment => ({
  codec: "update",
  name: "update",
  count: 4,
  bits: 16,
  bound: 1,
  rotationBlock: 0,
  ...overrides,
});
const planOf = (segments: readonly Segment[], clients = 100) =>
  planEncoding({ clients, maxWeight: 1, rotationSeed: "r", segments });

describe("planEncoding", () => {
  test("the ring budgets of the literature: ceil(log2(n (2^q - 1) + 1))", () => {
    const width = (clients: number, bits: number) => planOf([update({ bits })], clients).segments[0]!.width;
    expect([width(100, 16), width(1000, 16), width(10_000, 16), width(1000, 12)]).toEqual([23, 26, 30, 22]);
  });

  test("property: the largest sum fits and the next narrower ring would not hold it", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 10_000 }), fc.integer({ min: 1, max: 18 }), (clients, bits) => {
        const { width, maxSum, capacity } = planOf([update({ bits })], clients).segments[0]!;
        expect(maxSum).toBe(clients * (2 ** bits - 1));
        expect(maxSum <= capacity).toBe(true);
        if (width > 8) expect(maxSum > 2 ** (width - 1) - 1).toBe(true);
      }),
      { seed: 3 },
    );
  });

  test("refuses what could wrap, and what is malformed", () => {
    const counts = (maximum: number): Segment => ({ codec: "counts", name: "weight", count: 1, maximum });
    expect(codeOf(() => planOf([update({ bits: 26 })]))).toBe("secagg/ring-overflow");
    expect(codeOf(() => planOf([counts(0xffff_ffff)]))).toBe("secagg/ring-overflow");
    for (const bad of [update({ count: 0 }), update({ bound: 0 }), update({ rotationBlock: 6 }), counts(0)])
      expect(() => planOf([bad])).toThrow(RangeError);
  });

  test("says the proof and the rounding variance", () => {
    const [line] = describeEncoding(planOf([update()]));
    expect(line).toContain("sum <= 6553500 <= 8388607 = 2^23 - 1");
    expect(line).toContain("rounding variance");
  });

  test("its specification has deterministic bytes", () => {
    const { spec, digest } = smallPlan(20);
    const bytes = encode(EncodingSpec, spec);
    expect(decode(EncodingSpec, bytes)).toEqual(spec);
    expect(planEncoding(decode(EncodingSpec, bytes)).digest).toBe(digest);
  });
});

describe("encodeContribution", () => {
  test("rounds without bias, within the variance that the plan states", () => {
    const count = 20_000;
    const plan = planOf([update({ count, bits: 4 })], 2);
    const value = 0.2371;
    const { vector } = encodeContribution(
      plan,
      { weight: 1, values: [new Float64Array(count).fill(value)] },
      systemRandom,
    );
    const { step, roundingVariance } = plan.segments[0]!;
    const decoded = Array.from(vector.spend(), (code) => code * step - 1);
    const mean = decoded.reduce((sum, x) => sum + x, 0) / count;
    const variance = decoded.reduce((sum, x) => sum + (x - mean) ** 2, 0) / count;
    expect(Math.abs(mean - value)).toBeLessThan((5 * step) / 2 / Math.sqrt(count));
    expect(2 * variance).toBeLessThan(roundingVariance * 1.05);
  });

  test("weights updates and states, reports the clamped share, leaves metrics exact", () => {
    const plan = planEncoding({
      clients: 10,
      maxWeight: 4,
      rotationSeed: "r",
      segments: [
        update({ bits: 20, bound: 0.5 }),
        { codec: "counts", name: "weight", count: 1, maximum: 4 },
        { codec: "reals", name: "loss", count: 1, bits: 20, minimum: -1, maximum: 9 },
      ],
    });
    const { vector, clamped } = encodeContribution(
      plan,
      { weight: 2, values: [[0.5, -0.5, 3, -3], [2], [1.25]] },
      systemRandom,
    );
    expect(clamped).toEqual([{ segment: "update", share: 0.5 }]);
    const [values, weight, loss] = decodeSum(plan, vector.spend(), 1);
    for (const [i, expected] of [0.25, -0.25, 0.5, -0.5].entries())
      expect(values![i]).toBeCloseTo(expected, 5);
    expect([...weight!]).toEqual([2]);
    expect(loss![0]).toBeCloseTo(1.25, 4);
  });

  test("refuses what is not finite, counts that are none, and reals out of range", () => {
    const plan = smallPlan(10, 1);
    const good = [[0.1], [0, 0], [1, 2, 3], [4]];
    const encodeWith = (index: number, values: number[], weight = 1) =>
      codeOf(() => encodeContribution(plan, { weight, values: good.with(index, values) }, systemRandom));
    expect(encodeWith(0, [0.1])).toBe("no error");
    for (const [index, values] of [
      [0, [Number.NaN]],
      [0, [Number.POSITIVE_INFINITY]],
      [1, [0, Number.NaN]],
      [2, [1, 2, 1001]],
      [2, [1, 2.5, 3]],
      [2, [-1, 2, 3]],
      [3, [101]],
      [3, [Number.NaN]],
    ] as const)
      expect(encodeWith(index, [...values])).toBe("secagg/value-out-of-range");
    expect(encodeWith(0, [0.1], 11)).toBe("secagg/value-out-of-range");
  });

  test("an update is spent once", () => {
    const { vector } = encodeContribution(
      smallPlan(10, 1),
      { weight: 1, values: [[0.1], [0, 0], [1, 2, 3], [4]] },
      systemRandom,
    );
    expect(JSON.stringify(vector)).toBe('"[update of 7 codes]"');
    vector.spend();
    expect(vector.isSpent).toBe(true);
    expect(codeOf(() => vector.spend())).toBe("secagg/update-spent");
  });
});

describe("decodeSum", () => {
  test("a sum that honest members cannot have made is refused", () => {
    const plan = planOf([{ codec: "counts", name: "weight", count: 1, maximum: 5 }], 10);
    expect([...decodeSum(plan, Uint32Array.of(15), 3)[0]!]).toEqual([15]);
    expect(codeOf(() => decodeSum(plan, Uint32Array.of(16), 3))).toBe("secagg/value-out-of-range");
  });
});

describe("the rotation", () => {
  test("property: keeps the norm, pads nothing, and comes back", () => {
    const values = fc.float64Array({ minLength: 1, maxLength: 300, min: -100, max: 100, noNaN: true });
    fc.assert(
      fc.property(values, fc.constantFrom(2, 16, 128), (input, block) => {
        const rotated = Float64Array.from(input);
        rotate(rotated, block, "seed");
        const norm = (x: Float64Array) => Math.hypot(...x);
        expect(norm(rotated)).toBeCloseTo(norm(Float64Array.from(input)), 6);
        rotateBack(rotated, block, "seed");
        for (const [i, x] of input.entries()) expect(rotated[i]).toBeCloseTo(x, 8);
      }),
      { seed: 5 },
    );
  });

  test("spreads one large coordinate over its block", () => {
    const values = new Float64Array(1024);
    values[17] = 1;
    rotate(values, 1024, "seed");
    expect(Math.max(...values.map(Math.abs))).toBeCloseTo(1 / 32, 10);
  });
});
