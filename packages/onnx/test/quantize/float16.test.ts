import { expect, test } from "vitest";
import { fromFloat16, toFloat16 } from "../../src/quantize/float16-tensor.ts";

test("every float16 survives the way through float32", () => {
  for (let bits = 0; bits < 0x10000; bits++) {
    const value = fromFloat16(bits);
    if (!Number.isNaN(value)) expect(toFloat16(value)).toBe(bits);
    else expect(fromFloat16(toFloat16(value))).toBeNaN();
  }
});

test.each([
  [1 + 2 ** -11, 1],
  [1 + 3 * 2 ** -11, 1 + 2 ** -9],
  [2 ** -25, 0],
  [2 ** -25 * 1.5, 2 ** -24],
  [2 ** -14 - 2 ** -26, 2 ** -14],
  [65_519, 65_504],
  [65_520, Infinity],
])("%d rounds to %d", (value, expected) => {
  expect(fromFloat16(toFloat16(value))).toBe(expected);
});
