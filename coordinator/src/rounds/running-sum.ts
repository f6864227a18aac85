import type { UpdateSum } from "@tributary/federation/aggregation";
import type { UpdateAggregate } from "./update-aggregate.ts";
import { CHUNK_BYTES, readUpdate } from "./update-file.ts";

/** A sum that grows with each file: memory is the sum and one piece, however many devices report. */
export function runningSum(sum: UpdateSum): UpdateAggregate {
  let buffer: Uint8Array<ArrayBuffer> | undefined;
  return {
    async add(file, numExamples) {
      buffer ??= new Uint8Array(CHUNK_BYTES);
      await readUpdate(file, buffer, {
        header() {},
        values: (offset, values) => sum.addChunk(offset, values, numExamples),
      });
      sum.count(numExamples);
    },
    sum,
    mean: async () => sum.mean(),
    async close() {
      buffer = undefined;
    },
  };
}
