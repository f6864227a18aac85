import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { place } from "../../src/images/fit.ts";
import { resample } from "../../src/images/resample.ts";

/** Grey levels, row by row, as RGBA. */
const grey = (levels: readonly number[]) =>
  Uint8ClampedArray.from(levels.flatMap((level) => [level, level, level, 255]));
const red = (rgb: ArrayLike<number>) => Array.from({ length: rgb.length / 3 }, (_, i) => rgb[3 * i]!);

function resize(
  levels: readonly number[],
  source: { width: number; height: number },
  target: { width: number; height: number },
  fit: "cover" | "contain" | "stretch" = "stretch",
): number[] {
  return red(resample(grey(levels), source, target, place(source, target, fit)));
}

describe("resampling", () => {
  test("to the same size changes nothing", () => {
    const levels = Array.from({ length: 12 }, (_, i) => 20 * i);
    expect(resize(levels, { width: 4, height: 3 }, { width: 4, height: 3 })).toEqual(levels);
  });

  // Image.resize(size, Image.BILINEAR) of Pillow 12.3, mode "F".
  test("gives what Pillow gives", () => {
    const row = { width: 4, height: 1 };
    const levels = [0, 100, 200, 40];
    const enlarged = resize(levels, row, { width: 8, height: 1 });
    const expected = [0, 25, 75, 125, 175, 160, 80, 40];
    for (const [i, value] of enlarged.entries()) expect(value).toBeCloseTo(expected[i]!, 3);
    const shrunk = resize(levels, row, { width: 2, height: 1 });
    for (const [i, value] of [71.4286, 117.1429].entries()) expect(shrunk[i]).toBeCloseTo(value, 3);
    const picture = Array.from({ length: 35 }, (_, i) => ((i % 7) * 37 + Math.floor(i / 7) * 59) % 256);
    const small = resize(picture, { width: 7, height: 5 }, { width: 3, height: 4 });
    const pillow = [
      46.464, 125.75, 182.179, 115.298, 163.211, 113.869, 184.131, 126.632, 86.702, 129.536, 95.074, 155.536,
    ];
    for (const [i, value] of small.entries()) expect(value).toBeCloseTo(pillow[i]!, 2);
  });

  test("an image of another shape is cut to its middle, or stands on black", () => {
    const wide = { width: 4, height: 2 };
    const square = { width: 2, height: 2 };
    const levels = [10, 20, 30, 40, 10, 20, 30, 40];
    expect(resize(levels, wide, square, "cover")).toEqual([20, 30, 20, 30]);
    const contained = resize(levels, wide, { width: 4, height: 4 }, "contain");
    expect(contained).toEqual([0, 0, 0, 0, ...levels, 0, 0, 0, 0]);
  });

  test("transparent pixels let the black through", () => {
    const pixels = Uint8ClampedArray.of(200, 200, 200, 0, 200, 200, 200, 51);
    const size = { width: 2, height: 1 };
    const [clear, faint] = red(resample(pixels, size, size, place(size, size, "stretch")));
    expect([clear, Math.round(faint!)]).toEqual([0, 40]);
  });

  test("whatever the sizes, one grey stays that grey, and no level leaves the range", () => {
    const side = fc.integer({ min: 1, max: 40 });
    const fit = fc.constantFrom("cover" as const, "stretch" as const, "contain" as const);
    fc.assert(
      fc.property(side, side, side, side, fit, fc.integer({ min: 1, max: 255 }), (a, b, c, d, how, level) => {
        const [source, target] = [
          { width: a, height: b },
          { width: c, height: d },
        ];
        const even = resize(
          Array.from({ length: a * b }, () => level),
          source,
          target,
          how,
        );
        for (const value of even) {
          if (how !== "contain" || value !== 0) expect(value).toBeCloseTo(level, 2);
        }
        expect(even.some((value) => value > 0)).toBe(true);
        const mixed = resize(
          Array.from({ length: a * b }, (_, i) => (i * 97) % 256),
          source,
          target,
          how,
        );
        expect(mixed.every((value) => value >= -1e-3 && value <= 255.001)).toBe(true);
      }),
      { seed: 5, numRuns: 60 },
    );
  });
});
