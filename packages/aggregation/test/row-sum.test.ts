import { fedAvg, openRowSum, ROW_VALUES, SUM_ROWS, type RowSum } from "@tributary/aggregation";
import { seededRandom } from "@tributary/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { plainRowSum } from "../src/row-sum.ts";

const LENGTH = 40;

const additions = fc.array(
  fc.record({
    offset: fc.nat({ max: LENGTH }),
    begin: fc.nat({ max: 9 }),
    length: fc.nat({ max: LENGTH }),
    // As fedNova's: no integers.
    factors: fc.array(fc.double({ min: 1e-3, max: 2 ** 29, noNaN: true }), {
      minLength: 1,
      maxLength: SUM_ROWS,
    }),
    seed: fc.nat(),
  }),
  { minLength: 1, maxLength: 6 },
);

test("several rows at once are added as one after the other, to the last bit, with and without WebAssembly", () => {
  fc.assert(
    fc.property(additions, (all) => {
      const together = [openRowSum(LENGTH), plainRowSum(LENGTH)];
      const one = openRowSum(LENGTH);
      const expected = new Float64Array(LENGTH);
      for (const { offset, begin, factors, seed, ...rest } of all) {
        const random = seededRandom(seed);
        const length = Math.min(rest.length, LENGTH - offset);
        for (const [row, factor] of factors.entries()) {
          const values = Float32Array.from({ length }, () => random.normal() * 10 ** (8 * random.next() - 4));
          for (const { rows } of together) rows[row]!.set(values, begin);
          one.rows[0]!.set(values, begin);
          one.add(offset, begin, length, [factor]);
          for (const [i, value] of values.entries()) expected[offset + i]! += factor * value;
        }
        for (const { add } of together) add(offset, begin, length, factors);
      }
      for (const { sum } of [...together, one]) expect(bitsOf(sum)).toEqual(bitsOf(expected));
    }),
    { numRuns: 40, seed: 5 },
  );
});

test("rows are as long as they say, and lie apart from each other and from the sum", () => {
  const { sum, rows, add } = openRowSum(ROW_VALUES + 3);
  for (const [row, values] of rows.entries()) values.fill(2 ** row);
  add(3, 0, ROW_VALUES, [1, 1, 1, 1, 1, 1, 1, 1]);
  expect(sum.slice(0, 4)).toEqual(Float64Array.of(0, 0, 0, 255));
  expect(sum.subarray(3).every((value) => value === 255)).toBe(true);
  expect(rows.every((values, row) => values.every((value) => value === 2 ** row))).toBe(true);
});

test.each([
  ["beyond the sum", (each: RowSum) => each.add(LENGTH - 3, 0, 4, [1])],
  ["before the sum", (each: RowSum) => each.add(-1, 0, 4, [1])],
  ["beyond a row", (each: RowSum) => each.add(0, ROW_VALUES - 3, 4, [1])],
  ["of no rows", (each: RowSum) => each.add(0, 0, 4, [])],
  [
    "of more rows than there are",
    (each: RowSum) =>
      each.add(
        0,
        0,
        4,
        Array.from({ length: 9 }, () => 1),
      ),
  ],
])("refuses to add %s", (_, add) => {
  for (const each of [openRowSum(LENGTH), plainRowSum(LENGTH)]) {
    expect(() => add(each)).toThrow(RangeError);
    expect(each.sum.every((value) => value === 0)).toBe(true);
  }
});

test("more examples than a product in float64 is exact with are refused", () => {
  expect(fedAvg.factor(2 ** 29)).toBe(2 ** 29);
  for (const numExamples of [0, 1.5, 2 ** 29 + 1])
    expect(() => fedAvg.factor(numExamples)).toThrow("numExamples");
});

function bitsOf({ buffer, byteOffset, length }: Float64Array): BigUint64Array {
  return new BigUint64Array(buffer as ArrayBuffer, byteOffset, length);
}
