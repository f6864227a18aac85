import { expect, test } from "vitest";
import { formatBytes, formatNumber, formatPercent } from "../../src/start/format.ts";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [9_949, "9.9 kB"],
  // Rounded up it has two digits before the point.
  [9_960, "10 kB"],
  [9_999, "10 kB"],
  [12_345, "12 kB"],
  [999_499, "999 kB"],
  [999_500, "1.0 MB"],
  [1_234_567, "1.2 MB"],
  [5e9, "5.0 GB"],
  [2.5e15, "2500 TB"],
])("%d bytes are %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [null, "-"],
  [0, "0.0 %"],
  [0.95149, "95.1 %"],
  [1, "100.0 %"],
])("the fraction %d is %s", (fraction, text) => {
  expect(formatPercent(fraction)).toBe(text);
});

test("numbers have a fixed count of digits, and a dash where there is none", () => {
  expect([formatNumber(1.23456, 4), formatNumber(0, 1), formatNumber(null, 4)]).toEqual([
    "1.2346",
    "0.0",
    "-",
  ]);
});
