import {
  add,
  addInto,
  allFinite,
  argMax,
  axpyInto,
  clipNormInto,
  dot,
  l2Norm,
  maxAbs,
  scale,
  scaleInto,
  squaredNorm,
  subtract,
} from "@tributary/tensor";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const finite = fc.float32Array({ maxLength: 50, noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 });
const pair = finite.chain((a) =>
  fc.tuple(
    fc.constant(a),
    fc.float32Array({
      minLength: a.length,
      maxLength: a.length,
      noNaN: true,
      noDefaultInfinity: true,
      min: -1e6,
      max: 1e6,
    }),
  ),
);

describe("vector maths agrees with the definition", () => {
  test("sums, differences, products", () => {
    fc.assert(
      fc.property(pair, fc.float({ noNaN: true, min: -100, max: 100 }), ([a, b], k) => {
        expect([...add(a, b)]).toEqual([...a].map((x, i) => Math.fround(x + b[i]!)));
        expect([...subtract(a, b)]).toEqual([...a].map((x, i) => Math.fround(x - b[i]!)));
        expect([...scale(a, k)]).toEqual([...a].map((x) => Math.fround(k * x)));
        const y = Float64Array.from(a);
        axpyInto(y, k, b);
        expect([...y]).toEqual([...a].map((x, i) => x + k * b[i]!));
        addInto(y, b);
        scaleInto(y, 2);
        expect(y[0]).toEqual(a.length === 0 ? undefined : 2 * (a[0]! + k * b[0]! + b[0]!));
        expect(dot(a, b)).toBe([...a].reduce((sum, x, i) => sum + x * b[i]!, 0));
      }),
    );
  });

  test("norms accumulate in float64", () => {
    expect(l2Norm(new Float32Array([3, 4]))).toBe(5);
    // In float32 the sum of squares would stick at 2^24.
    expect(squaredNorm(new Float32Array(20_000_000).fill(1))).toBe(20_000_000);
    expect(l2Norm(new Float32Array([3e38, 3e38]))).toBeLessThan(Infinity);
    expect(maxAbs(new Float32Array([1, -7, 3]))).toBe(7);
    expect(maxAbs(new Float32Array([1, NaN, 3]))).toBeNaN();
    expect(maxAbs(new Float32Array())).toBe(0);
    expect(argMax(new Float32Array([1, 7, 7]))).toBe(1);
    expect(argMax(new Float32Array())).toBe(-1);
  });

  test("clipping leaves small vectors alone and bounds large ones", () => {
    fc.assert(
      fc.property(finite, fc.double({ min: 0.001, max: 1000, noNaN: true }), (x, maxNorm) => {
        const before = Float32Array.from(x);
        const norm = clipNormInto(x, maxNorm);
        expect(norm).toBe(l2Norm(before));
        if (norm <= maxNorm) expect(x).toEqual(before);
        else expect(l2Norm(x)).toBeLessThanOrEqual(maxNorm * (1 + 1e-6));
      }),
    );
  });

  test("allFinite finds any one bad value", () => {
    fc.assert(
      fc.property(finite, fc.constantFrom(NaN, Infinity, -Infinity), fc.nat(), (x, bad, at) => {
        expect(allFinite(x)).toBe(true);
        if (x.length === 0) return;
        x[at % x.length] = bad;
        expect(allFinite(x)).toBe(false);
      }),
    );
    expect(allFinite(new Float32Array([3.4e38, -3.4e38, 1e-45]))).toBe(true);
  });

  test("vectors of different lengths are the caller's mistake", () => {
    const [a, b] = [new Float32Array(2), new Float32Array(3)];
    for (const run of [
      () => add(a, b),
      () => subtract(a, b),
      () => addInto(a, b),
      () => axpyInto(a, 1, b),
      () => dot(a, b),
      () => scale(a, 1, b),
    ]) {
      expect(run).toThrow(RangeError);
    }
  });
});
