import type { RobustRule } from "./robust-rule.ts";

/** Columns up to this length are sorted: searching them costs more. */
const SHORT = 24;

/** Sorts in place, ascending. */
function sortShort(column: Float32Array): void {
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

/**
 * Puts the value that belongs at `position` of the sorted column there, smaller ones before and larger ones behind it
 * (Hoare's selection). What lies before `from` is left alone.
 */
function select(column: Float32Array, position: number, from: number): void {
  let [low, high] = [from, column.length - 1];
  while (low < high) {
    const pivot = middleOf(column[low]!, column[(low + high) >> 1]!, column[high]!);
    let [left, right] = [low, high];
    while (left <= right) {
      while (column[left]! < pivot) left++;
      while (column[right]! > pivot) right--;
      if (left > right) break;
      const value = column[left]!;
      column[left++] = column[right]!;
      column[right--] = value;
    }
    if (position <= right) high = right;
    else if (position >= left) low = left;
    else return;
  }
}

function middleOf(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}

/**
 * A rule that looks at every coordinate alone. One pass.
 *
 * @param order.positions where the values have to be those of the sorted column, ascending
 * @param order.pick makes one value of such a column
 */
function coordinateWise(order: {
  readonly positions: (count: number) => readonly number[];
  readonly pick: (column: Float32Array) => number;
}): RobustRule {
  return function* ({ numExamples, length }) {
    const result = new Float64Array(length);
    const column = new Float32Array(numExamples.length);
    const positions = order.positions(column.length);
    yield (block) => {
      for (let i = 0; i < block.length; i++) {
        for (let row = 0; row < column.length; row++) column[row] = block.rows[row]![i]!;
        if (column.length <= SHORT) sortShort(column);
        else {
          let from = 0;
          for (const position of positions) {
            select(column, position, from);
            from = position;
          }
        }
        result[block.begin + i] = order.pick(column);
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
  return coordinateWise({
    positions: (count) => (count % 2 === 1 ? [count >> 1] : [(count >> 1) - 1, count >> 1]),
    pick(column) {
      const middle = column.length >> 1;
      return column.length % 2 === 1 ? column[middle]! : (column[middle - 1]! + column[middle]!) / 2;
    },
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
  return coordinateWise({
    positions(count) {
      const dropped = trimmedCount(trim, count);
      return dropped === 0 ? [] : [dropped, count - dropped - 1];
    },
    pick(column) {
      const dropped = trimmedCount(trim, column.length);
      let sum = 0;
      for (let i = dropped; i < column.length - dropped; i++) sum += column[i]!;
      return sum / (column.length - 2 * dropped);
    },
  });
}
