import type { UpdateCounts, UpdateSum } from "@tributary/federation/aggregation";
import type { UpdateAggregate } from "./update-aggregate.ts";
import { openUpdateRows } from "./update-rows.ts";

/** A sum that grows with each file: memory is the sum and a piece of a few files, however many devices report. */
export function runningSum(sum: UpdateSum, { weightCount, statisticCount }: UpdateCounts): UpdateAggregate {
  const length = weightCount + statisticCount;
  return {
    async add(updates) {
      const { rows: buffers, addRows } = sum;
      const size = buffers[0]!.length;
      for (let first = 0; first < updates.length; first += buffers.length) {
        const batch = updates.slice(first, first + buffers.length);
        const numExamples = batch.map((update) => update.numExamples);
        const rows = await openUpdateRows(
          batch.map(({ file }) => file),
          length,
        );
        try {
          for (let begin = 0; begin < length; begin += size) {
            const count = Math.min(size, length - begin);
            const pieces = buffers
              .slice(0, batch.length)
              .map(({ buffer, byteOffset }) => new Uint8Array(buffer, byteOffset, 4 * count));
            await Promise.all(pieces.map((piece, row) => rows.read(row, begin, piece)));
            addRows(begin, count, numExamples);
          }
        } finally {
          await rows.close();
        }
        for (const count of numExamples) sum.count(count);
      }
    },
    sum,
    mean: async () => sum.mean(),
    async close() {},
  };
}
