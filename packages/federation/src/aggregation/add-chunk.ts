import { ROW_VALUES } from "@tributary/aggregation";
import type { UpdateSum } from "./update-sum.ts";

/** Values of one update from `offset` on, through the first row of a sum. */
export function addChunk(
  { rows, addRows }: Pick<UpdateSum, "rows" | "addRows">,
  offset: number,
  values: Float32Array,
  numExamples: number,
): void {
  const [row] = rows;
  for (let begin = 0; begin < values.length; begin += ROW_VALUES) {
    const piece = values.subarray(begin, begin + ROW_VALUES);
    row!.set(piece);
    addRows(offset + begin, piece.length, [numExamples]);
  }
}
