/** Neighbouring elements of a vector that are numbers modulo 2^width. */
export interface RingSegment {
  readonly count: number;
  /** Bits, 8 to 32. */
  readonly width: number;
}

export const MIN_WIDTH = 8;
export const MAX_WIDTH = 32;

/** Elements of all segments together. */
export function vectorLength(segments: readonly RingSegment[]): number {
  return segments.reduce((sum, { count }) => sum + count, 0);
}

/** Reduces every element to its segment's ring, in place. */
export function reduceToRing(vector: Uint32Array, segments: readonly RingSegment[]): void {
  let at = 0;
  for (const { count, width } of segments) {
    const end = at + count;
    if (width < MAX_WIDTH) {
      const mask = 2 ** width - 1;
      for (; at < end; at++) vector[at]! &= mask;
    }
    at = end;
  }
}

/** Adds a vector to another, in place, modulo 2^32; reduce when all are added. */
export function addVector(sum: Uint32Array, term: Uint32Array, sign: 1 | -1 = 1): void {
  if (sum.length !== term.length) {
    throw new RangeError(`addVector: ${sum.length} elements expected, got ${term.length}`);
  }
  const { length } = sum;
  if (sign === 1) for (let i = 0; i < length; i++) sum[i] = sum[i]! + term[i]!;
  else for (let i = 0; i < length; i++) sum[i] = sum[i]! - term[i]!;
}
