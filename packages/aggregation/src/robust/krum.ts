import { combination } from "./combination.ts";
import type { Pass, RobustRule } from "./robust-rule.ts";

export interface KrumOptions {
  /** f: how many updates may be hostile; 2f + 3 updates are needed. @defaultValue 1 */
  readonly hostile?: number;
}

export interface MultiKrumOptions extends KrumOptions {
  /** m: how many updates are averaged, at most n - f. Left out, or 0: n - f. */
  readonly keep?: number;
}

/** Fewest updates among which `hostile` can be told apart. */
export function krumMinimum(hostile: number): number {
  return 2 * hostile + 3;
}

/** One pass: squared distances between all updates, n by n, row-major. */
function* squaredDistances(count: number): Generator<Pass, Float64Array<ArrayBuffer>, void> {
  const distances = new Float64Array(count * count);
  yield ({ rows, length }) => {
    for (let a = 0; a < count; a++) {
      // Four at a time: their sums do not wait for one another. A row too many is computed and not kept.
      for (let b = 0; b < a; b += 4) {
        const sums = fourDistances(rows[a]!, rows, b, Math.min(b + 4, a) - 1, length);
        for (let k = 0; k < 4 && b + k < a; k++) distances[a * count + b + k]! += sums[k]!;
      }
    }
  };
  for (let a = 0; a < count; a++) {
    for (let b = 0; b < a; b++) distances[b * count + a] = distances[a * count + b]!;
  }
  return distances;
}

/** Squared distances of a row to the rows from `first` on; behind `last` it is repeated. */
function fourDistances(
  row: Float32Array,
  rows: readonly Float32Array[],
  first: number,
  last: number,
  length: number,
): readonly [number, number, number, number] {
  const [r0, r1] = [rows[first]!, rows[Math.min(first + 1, last)]!];
  const [r2, r3] = [rows[Math.min(first + 2, last)]!, rows[Math.min(first + 3, last)]!];
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  for (let i = 0; i < length; i++) {
    const value = row[i]!;
    const d0 = value - r0[i]!;
    const d1 = value - r1[i]!;
    const d2 = value - r2[i]!;
    const d3 = value - r3[i]!;
    s0 += d0 * d0;
    s1 += d1 * d1;
    s2 += d2 * d2;
    s3 += d3 * d3;
  }
  return [s0, s1, s2, s3];
}

/**
 * Score of each update: the sum of its squared distances to its nearest `neighbours` others.
 *
 * @param distances n by n, row-major
 */
export function krumScores(
  distances: Float64Array,
  count: number,
  neighbours: number,
): Float64Array<ArrayBuffer> {
  const scores = new Float64Array(count);
  const others = new Float64Array(count - 1);
  for (let row = 0; row < count; row++) {
    let at = 0;
    for (let other = 0; other < count; other++) {
      if (other !== row) others[at++] = distances[row * count + other]!;
    }
    others.sort();
    for (let i = 0; i < neighbours; i++) scores[row]! += others[i]!;
  }
  return scores;
}

/** The `keep` updates with the lowest scores count the same, others not; of equal scores the earlier update is taken. */
function selected(scores: Float64Array, keep: number): Float64Array<ArrayBuffer> {
  const order = [...scores.keys()].toSorted((a, b) => scores[a]! - scores[b]! || a - b);
  const factors = new Float64Array(scores.length);
  for (const index of order.slice(0, keep)) factors[index] = 1 / keep;
  return factors;
}

function scoring(name: string, hostile: number, keepOf: (count: number) => number): RobustRule {
  if (!Number.isSafeInteger(hostile) || hostile < 0) {
    throw new RangeError(`${name}: hostile must be an integer of at least 0, got ${hostile}`);
  }
  return function* ({ numExamples: { length: count }, length }) {
    if (count < krumMinimum(hostile)) {
      throw new RangeError(
        `${name}: at least ${krumMinimum(hostile)} updates expected for hostile ${hostile}, got ${count}`,
      );
    }
    const distances = yield* squaredDistances(count);
    const scores = krumScores(distances, count, count - hostile - 2);
    return yield* combination(length, selected(scores, keepOf(count)));
  };
}

/** The update that lies closest to its neighbours (Blanchard et al. 2017, https://arxiv.org/abs/1703.02757). Two passes. */
export function krum(options: KrumOptions = {}): RobustRule {
  return scoring("krum", options.hostile ?? 1, () => 1);
}

/** The mean of the `keep` updates that lie closest to their neighbours (Blanchard et al. 2017). Two passes. */
export function multiKrum(options: MultiKrumOptions = {}): RobustRule {
  const { hostile = 1, keep = 0 } = options;
  if (!Number.isSafeInteger(keep) || keep < 0) {
    throw new RangeError(`multiKrum: keep must be an integer of at least 0, got ${keep}`);
  }
  return scoring("multiKrum", hostile, (count) =>
    keep === 0 ? count - hostile : Math.min(keep, count - hostile),
  );
}
