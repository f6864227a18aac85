import type { DType } from "@tributary/tensor";
import { allocate } from "@tributary/tensor";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { writeValues, type PortValues } from "../src/port-values.ts";

/** Ranges of the whole element types. */
const WHOLE: readonly (readonly [DType, bigint, bigint])[] = [
  ["int8", -128n, 127n],
  ["uint8", 0n, 255n],
  ["int16", -32_768n, 32_767n],
  ["uint16", 0n, 65_535n],
  ["int32", -(2n ** 31n), 2n ** 31n - 1n],
  ["uint32", 0n, 2n ** 32n - 1n],
  ["int64", -(2n ** 63n), 2n ** 63n - 1n],
  ["uint64", 0n, 2n ** 64n - 1n],
];

function written(dtype: DType, values: PortValues): { readonly wrong: number | undefined; data: unknown[] } {
  const data = allocate(dtype, values.length + 2);
  const wrong = writeValues(dtype, data, 1, values);
  return { wrong, data: [...data] };
}

describe("values of a port", () => {
  test.each(WHOLE)(
    "%s takes whole numbers of its range, as numbers or bigints, and no others",
    (dtype, min, max) => {
      const isBig = dtype.endsWith("64");
      fc.assert(
        fc.property(
          fc.array(fc.bigInt({ min, max }), { maxLength: 20 }),
          fc.boolean(),
          (values, asNumbers) => {
            const usable = asNumbers ? values.filter((value) => Number.isSafeInteger(Number(value))) : values;
            const given = asNumbers ? usable.map(Number) : usable;
            const expected = isBig ? [0n, ...usable, 0n] : [0, ...usable.map(Number), 0];
            expect(written(dtype, given)).toEqual({ wrong: undefined, data: expected });
          },
        ),
        { seed: 11 },
      );
      for (const bad of [min - 1n, max + 1n]) {
        expect(written(dtype, isBig ? [0n, bad] : [0, Number(bad)]).wrong).toBe(1);
      }
      for (const bad of [0.5, Number.NaN, Infinity]) expect(written(dtype, [1, 1, bad]).wrong).toBe(2);
    },
  );

  test("int64 refuses numbers that had lost digits before they came", () => {
    expect(written("int64", [2 ** 53]).wrong).toBe(0);
    expect(written("int64", [2 ** 53 - 1]).wrong).toBeUndefined();
  });

  test("bool takes 0, 1 and booleans", () => {
    expect(written("bool", [true, false, 1, 0]).data).toEqual([0, 1, 0, 1, 0, 0]);
    for (const bad of [2, -1, 0.5, 255]) expect(written("bool", [bad]).wrong).toBe(0);
  });

  test("floats take every number; bytes, and bytes alone, are shares of 255", () => {
    expect(written("float64", [0.1, -Infinity, 7n]).data).toEqual([0, 0.1, -Infinity, 7, 0]);
    expect(written("float64", Uint8Array.of(51, 255)).data).toEqual([0, 0.2, 1, 0]);
    expect(written("float32", Uint8Array.of(0, 255)).data).toEqual([0, 0, 1, 0]);
    expect(written("float32", Int32Array.of(51, -3)).data).toEqual([0, 51, -3, 0]);
    expect(written("float32", Float32Array.of(0.5)).data).toEqual([0, 0.5, 0]);
    expect(written("uint8", Uint8Array.of(51, 255)).data).toEqual([0, 51, 255, 0]);
  });

  test("float16 takes raw bits alone", () => {
    expect(written("float16", Uint16Array.of(0x3c00)).data).toEqual([0, 0x3c00, 0]);
    expect(written("float16", [1]).wrong).toBe(0);
  });
});
