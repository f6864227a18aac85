/** Plain loops over flat vectors: engines compile them to tight code, and the results are the same everywhere. */
export type Vector = Float32Array | Float64Array;

function requireSameLength(what: string, a: Vector, b: Vector): void {
  if (a.length !== b.length)
    throw new RangeError(`${what}: vectors of one length expected, got ${a.length} and ${b.length}`);
}

/** y += x */
export function addInto(y: Vector, x: Vector): void {
  requireSameLength("addInto", y, x);
  for (let i = 0; i < y.length; i++) y[i]! += x[i]!;
}

/** a - b, into `out` or a new float32 vector. */
export function subtract(
  a: Vector,
  b: Vector,
  out: Float32Array<ArrayBuffer> = new Float32Array(a.length),
): Float32Array<ArrayBuffer> {
  requireSameLength("subtract", a, b);
  requireSameLength("subtract", a, out);
  for (let i = 0; i < out.length; i++) out[i] = a[i]! - b[i]!;
  return out;
}

/** float32(a + b), computed in float64: how a version's weights follow from the last ones and a step. */
export function add(
  a: Vector,
  b: Vector,
  out: Float32Array<ArrayBuffer> = new Float32Array(a.length),
): Float32Array<ArrayBuffer> {
  requireSameLength("add", a, b);
  requireSameLength("add", a, out);
  for (let i = 0; i < out.length; i++) out[i] = a[i]! + b[i]!;
  return out;
}

/** y += factor * x */
export function axpyInto(y: Vector, factor: number, x: Vector): void {
  requireSameLength("axpyInto", y, x);
  for (let i = 0; i < y.length; i++) y[i]! += factor * x[i]!;
}

/** x *= factor */
export function scaleInto(x: Vector, factor: number): void {
  for (let i = 0; i < x.length; i++) x[i]! *= factor;
}

/** factor * x, into `out` or a new float32 vector. */
export function scale(
  x: Vector,
  factor: number,
  out: Float32Array<ArrayBuffer> = new Float32Array(x.length),
): Float32Array<ArrayBuffer> {
  requireSameLength("scale", x, out);
  for (let i = 0; i < out.length; i++) out[i] = factor * x[i]!;
  return out;
}

/** Inner product, accumulated in float64. */
export function dot(a: Vector, b: Vector): number {
  requireSameLength("dot", a, b);
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Euclidean norm, accumulated in float64. NaN or infinite when an element is. */
export function l2Norm(x: Vector): number {
  return Math.sqrt(squaredNorm(x));
}

/** Sum of squares, in float64; adds up over chunks. */
export function squaredNorm(x: Vector): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]! * x[i]!;
  return sum;
}

/** Largest magnitude; NaN when an element is NaN, 0 for no elements. */
export function maxAbs(x: Vector): number {
  let max = 0;
  for (let i = 0; i < x.length; i++) {
    const magnitude = Math.abs(x[i]!);
    if (!(magnitude <= max)) {
      if (Number.isNaN(magnitude)) return NaN;
      max = magnitude;
    }
  }
  return max;
}

/** Whether no element is NaN or infinite. */
export function allFinite(x: Vector): boolean {
  // x * 0 is 0 for finite x; NaN and infinity leave NaN behind: one comparison for the whole vector.
  const zero = 0;
  let trace = 0;
  for (let i = 0; i < x.length; i++) trace += zero * x[i]!;
  return trace === 0;
}

/** Index of the first largest element; -1 for none. */
export function argMax(x: Vector): number {
  let best = -1;
  for (let i = 0; i < x.length; i++) if (best === -1 || x[i]! > x[best]!) best = i;
  return best;
}

/** Scales x down in place so that its norm is at most `maxNorm`; returns the norm before. */
export function clipNormInto(x: Vector, maxNorm: number): number {
  const norm = l2Norm(x);
  if (norm > maxNorm) scaleInto(x, maxNorm / norm);
  return norm;
}

/** Holds each element between -bound and bound, in place. */
export function clampInto(x: Vector, bound: number): void {
  for (let i = 0; i < x.length; i++) x[i] = Math.max(-bound, Math.min(bound, x[i]!));
}
