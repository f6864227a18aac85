import { fedAvg } from "@tributary/aggregation";
import type { ReadyRule, UpdateCounts } from "@tributary/federation/aggregation";
import type { UpdateAggregate, WeightedFile } from "./update-aggregate.ts";
import type { UpdateFile } from "./update-file.ts";
import { openUpdateRows } from "./update-rows.ts";

/** Values in memory at a time, of all updates together: 4 MiB, a few milliseconds of a rule's work. */
const BLOCK_VALUES = 2 ** 20;
/**
 * The updates of a round whose strategy compares them: they stay on disk until the round ends, and are read in passes, a block
 * of coordinates of all updates at a time. The rule, asked for then, is for weights; what statistics may change by was checked.
 */
export function heldUpdates(
  { weightCount, statisticCount }: UpdateCounts,
  ruleOf: () => Promise<ReadyRule>,
): UpdateAggregate {
  let held: WeightedFile[] = [];
  return {
    async add(updates) {
      held.push(...updates);
    },

    async mean(signal) {
      const numExamples = held.map((update) => update.numExamples);
      if (held.length === 0) throw new TypeError("rounds: the mean of no updates");
      const { rule, trust: trustOf } = await ruleOf();
      const rows = await openBlocks(
        held.map(({ file }) => file),
        weightCount + statisticCount,
      );
      try {
        const run = rule({ numExamples, length: weightCount });
        for (;;) {
          const next = run.next();
          if (next.done === true) {
            const totalExamples = numExamples.reduce((sum, count) => sum + count, 0);
            const statistics = fedAvg.init(statisticCount);
            for (const count of numExamples) fedAvg.countUpdate(statistics, count);
            for (let begin = weightCount; begin < weightCount + statisticCount; begin += rows.blockLength) {
              signal.throwIfAborted();
              const block = await rows.block(begin, weightCount + statisticCount);
              for (const [row, values] of block.rows.entries())
                fedAvg.accumulateChunk(statistics, begin - weightCount, values, numExamples[row]!);
            }
            const mean = fedAvg.mean(statistics);
            const trust = trustOf();
            return {
              weights: next.value,
              statistics: mean,
              updates: held.length,
              totalExamples,
              ...(trust === undefined ? {} : { trust }),
            };
          }
          for (let begin = 0; begin < weightCount; begin += rows.blockLength) {
            signal.throwIfAborted();
            next.value(await rows.block(begin, weightCount));
          }
        }
      } finally {
        await rows.close();
      }
    },

    async close() {
      held = [];
    },
  };
}

/** Reads the same coordinates of several updates. */
async function openBlocks(files: readonly UpdateFile[], length: number) {
  const blockLength = Math.max(1, Math.min(length, Math.floor(BLOCK_VALUES / files.length)));
  const buffers = files.map(() => new Float32Array(blockLength));
  const { read, close } = await openUpdateRows(files, length);
  return {
    blockLength,
    /** Coordinates from `begin` to before `end`, as many as fit. */
    async block(begin: number, end: number) {
      const count = Math.min(blockLength, end - begin);
      const rows: Float32Array[] = [];
      for (const [row, { buffer }] of buffers.entries()) {
        await read(row, begin, new Uint8Array(buffer, 0, 4 * count));
        rows.push(new Float32Array(buffer, 0, count));
      }
      return { begin, length: count, rows };
    },
    close,
  };
}
