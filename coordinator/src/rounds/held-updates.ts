import { open, type FileHandle } from "node:fs/promises";
import { fedAvg } from "@tributary/aggregation";
import type { ReadyRule, UpdateCounts } from "@tributary/federation/aggregation";
import type { UpdateAggregate } from "./update-aggregate.ts";
import { readAt, type UpdateFile } from "./update-file.ts";

/** Values in memory at a time, of all updates together: 4 MiB, a few milliseconds of a rule's work. */
const BLOCK_VALUES = 2 ** 20;
/** Files that stay open over a pass; of more each is opened for its piece. */
const MAX_OPEN_FILES = 256;

interface Held {
  readonly file: UpdateFile;
  readonly numExamples: number;
}

/**
 * The updates of a round whose strategy compares them: they stay on disk until the round ends, and are read in passes, a block
 * of coordinates of all updates at a time. The rule, asked for then, is for weights; what statistics may change by was checked.
 */
export function heldUpdates(
  { weightCount, statisticCount }: UpdateCounts,
  ruleOf: () => Promise<ReadyRule>,
): UpdateAggregate {
  let held: Held[] = [];
  return {
    async add(file, numExamples) {
      held.push({ file, numExamples });
    },

    async mean(signal) {
      const numExamples = held.map((update) => update.numExamples);
      if (held.length === 0) throw new TypeError("rounds: the mean of no updates");
      const { rule, trust: trustOf } = await ruleOf();
      const rows = await openRows(
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
async function openRows(files: readonly UpdateFile[], length: number) {
  const blockLength = Math.max(1, Math.min(length, Math.floor(BLOCK_VALUES / files.length)));
  const buffers = files.map(() => new Uint8Array(4 * blockLength));
  const handles: (FileHandle | undefined)[] = [];
  const close = async (): Promise<void> => {
    for (const handle of handles.splice(0)) await handle?.close();
  };
  try {
    if (files.length <= MAX_OPEN_FILES) for (const { path } of files) handles.push(await open(path, "r"));
  } catch (error) {
    await close();
    throw error;
  }

  const readRow = async (row: number, begin: number, count: number): Promise<Float32Array> => {
    const { path, sizeBytes } = files[row]!;
    const handle = handles[row] ?? (await open(path, "r"));
    try {
      // The values end the file; it was checked to hold exactly as many as the plan says.
      const position = sizeBytes - 4 * (length - begin);
      const { buffer, byteOffset } = await readAt(handle, buffers[row]!, position, 4 * count);
      return new Float32Array(buffer, byteOffset, count);
    } finally {
      if (handles[row] === undefined) await handle.close();
    }
  };

  return {
    blockLength,
    /** Coordinates from `begin` to before `end`, as many as fit. */
    async block(begin: number, end: number) {
      const count = Math.min(blockLength, end - begin);
      const rows: Float32Array[] = [];
      for (let row = 0; row < files.length; row++) rows.push(await readRow(row, begin, count));
      return { begin, length: count, rows };
    },
    close,
  };
}
