import type { RobustRule } from "./robust-rule.ts";

/** Longer columns than this are sorted by the engine; for short ones its call costs more than the sorting. */
const SHORT = 32;

/** Sorts in place, ascending. */
function sortColumn(column: Float32Array): void {
  if (column.length > SHORT) {
    column.sort();
    return;
  }
  for (let i = 1; i < column.length; i++) {
    const value = column[i]!;
    let at = i;
    while (at > 0 && column[at - 1]! > value) {
      column[at] = column[at - 1]!;
      at--;
    }
    column[at] = value;
  }
}

/** A rule that looks at every coordinate alone: what `pick` makes of its values in order. One pass. */
function coordinateWise(pick: (sorted: Float32Array) => number): RobustRule {
  return function* ({ numExamples, length }) {
    const result = new Float64Array(length);
    const column = new Float32Array(numExamples.length);
    yield (block) => {
      for (let i = 0; i < block.length; i++) {
        for (let row = 0; row < column.length; row++) column[row] = block.rows[row]![i]!;
        sortColumn(column);
        result[block.begin + i] = pick(column);
      }
    };
    return result;
  };
}

/**
 * The median of every coordinate (Yin et al. 2018, https://arxiv.org/abs/1803.01498); of an even number the middle of
 * the two in the middle. Each update counts the same: what a device says of its examples is not believed.
 */
export function coordinateMedian(): RobustRule {
  return coordinateWise((sorted) => {
    const middle = sorted.length >> 1;
    return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  });
}

/** Values that `trimmedMean` drops at each end, of `count`; always leaves at least one. */
export function trimmedCount(trim: number, count: number): number {
  // A share such as 0.29 of 100 must not lose one to rounding.
  return Math.floor(trim * count + 1e-9);
}

/**
 * The mean of every coordinate without its largest and smallest values (Yin et al. 2018). Withstands as many hostile
 * updates as are dropped at one end.
 *
 * @param options.trim share dropped at each end, from 0 to below 0.5, default 0.1
 */
export function trimmedMean(options: { readonly trim?: number } = {}): RobustRule {
  const { trim = 0.1 } = options;
  if (!(trim >= 0 && trim < 0.5)) {
    throw new RangeError(`trimmedMean: trim must be from 0 to below 0.5, got ${trim}`);
  }
  return coordinateWise((sorted) => {
    const dropped = trimmedCount(trim, sorted.length);
    let sum = 0;
    for (let i = dropped; i < sorted.length - dropped; i++) sum += sorted[i]!;
    return sum / (sorted.length - 2 * dropped);
  });
}
