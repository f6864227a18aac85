import type { Block, Pass } from "./robust-rule.ts";

/** sum of factors[i] * row i over one block, into `out` from `offset` on. */
export function combineInto(out: Float64Array, offset: number, block: Block, factors: Float64Array): void {
  const { rows, length } = block;
  out.fill(0, offset, offset + length);
  for (let row = 0; row < rows.length; row++) {
    const factor = factors[row]!;
    if (factor === 0) continue;
    const values = rows[row]!;
    for (let i = 0; i < length; i++) out[offset + i]! += factor * values[i]!;
  }
}

/** One pass: the sum of factors[i] * update i. */
export function* combination(
  length: number,
  factors: Float64Array,
): Generator<Pass, Float64Array<ArrayBuffer>, void> {
  const result = new Float64Array(length);
  yield (block) => combineInto(result, block.begin, block, factors);
  return result;
}

/** One pass: the squared Euclidean norm of each update. */
export function* squaredNorms(count: number): Generator<Pass, Float64Array<ArrayBuffer>, void> {
  const norms = new Float64Array(count);
  yield ({ rows, length }) => {
    for (let row = 0; row < count; row++) {
      const values = rows[row]!;
      let sum = 0;
      for (let i = 0; i < length; i++) sum += values[i]! * values[i]!;
      norms[row]! += sum;
    }
  };
  return norms;
}
