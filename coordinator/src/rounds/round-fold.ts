import type { Aggregation } from "@tributary/aggregation";
import { failure, type DeviceId, type Digest } from "@tributary/core";
import type { CheckedUpdate, RootUpdate, RoundMean, UpdateCounts } from "@tributary/federation/aggregation";
import { addMetrics, createMetrics, trainingMetrics } from "@tributary/metrics";
import { readKeptSum, writeKeptSum } from "./kept-sum.ts";
import type { Reported, ReportedFiles } from "./reported-files.ts";
import { createUpdateAggregate, type UpdateAggregate } from "./update-aggregate.ts";
import type { UpdateFile } from "./update-file.ts";

/** Bytes of summed updates that stay on disk, at least, before the sum itself is written: it is as large as two of them. */
const KEPT_BYTES = 64 * 1024 * 1024;

/** A counted update on its way into the sum. */
export interface Counted extends Reported {
  readonly file: UpdateFile;
  readonly checked: CheckedUpdate;
}

/**
 * The sum of a round and whose updates are in it. A restart finds the same: the sum as it was last written, and the files of
 * those that came since, which are summed again in the same order. Calls must not overlap.
 */
export class RoundFold {
  readonly #files: ReportedFiles;
  readonly #aggregate: UpdateAggregate;
  readonly #written: () => Promise<void>;
  readonly #keptBytes: number;
  readonly #members: (readonly [DeviceId, Digest])[] = [];
  readonly #metrics = createMetrics(trainingMetrics);
  #numExamples = 0;
  /** Files of updates that are in the sum, but not in the one on disk. */
  #loose: UpdateFile[] = [];
  #looseBytes = 0;

  /** @param written - resolves when everything that the round counted so far is in its journal */
  constructor(
    aggregation: Aggregation,
    counts: UpdateCounts,
    { files, written, rootUpdate, keptBytes = KEPT_BYTES }: FoldOptions,
  ) {
    this.#files = files;
    this.#written = written;
    this.#keptBytes = Math.max(keptBytes, 4 * 8 * (counts.weightCount + counts.statisticCount));
    this.#aggregate = createUpdateAggregate(aggregation, counts, rootUpdate);
  }

  /** Takes updates in the order that they counted in. @throws `store/*`, `update/*`: the sum is lost */
  async add(updates: readonly Counted[], bytesUp: number): Promise<void> {
    await this.#aggregate.add(updates.map(({ file, checked: { numExamples } }) => ({ file, numExamples })));
    for (const { device, claim, file, checked } of updates) {
      this.#members.push([device, claim.updateDigest]);
      this.#numExamples += checked.numExamples;
      addMetrics(this.#metrics, checked.metrics);
      this.#loose.push(file);
      this.#looseBytes += file.sizeBytes;
    }
    if (this.#looseBytes >= this.#keptBytes) await this.#keep(bytesUp);
  }

  mean(signal: AbortSignal): Promise<RoundMean> {
    return this.#aggregate.mean(signal);
  }

  /**
   * Reads the sum that an earlier process wrote, if it did.
   *
   * @param reported - what the round counts, in its order
   * @returns what is in it, and which of `reported` are not
   * @throws `store/corrupt`
   */
  async restore(reported: readonly Reported[]): Promise<{
    readonly numExamples: number;
    readonly metrics: readonly number[];
    readonly bytesUp: number;
    readonly missing: readonly Reported[];
  }> {
    const kept = await readKeptSum(this.#files.sumPath);
    if (kept === undefined) return { numExamples: 0, metrics: [], bytesUp: 0, missing: reported };
    const begin = kept.members.length;
    const same = kept.members.every(([device, digest], i) => {
      const counted = reported[i];
      return counted?.device === device && counted.claim.updateDigest === digest;
    });
    if (!same || this.#aggregate.sum === undefined)
      throw failure(
        "store/corrupt",
        `rounds: ${this.#files.sumPath} is over other updates than the round counts`,
      );
    this.#aggregate.sum.load(kept.sum);
    this.#members.push(...kept.members);
    this.#numExamples = kept.numExamples;
    addMetrics(this.#metrics, Float64Array.from(kept.metrics));
    return { ...kept, missing: reported.slice(begin) };
  }

  close(): Promise<void> {
    return this.#aggregate.close();
  }

  async #keep(bytesUp: number): Promise<void> {
    const sum = this.#aggregate.sum?.save();
    if (sum === undefined) return;
    // Never over an update that a restart would not know of.
    await this.#written();
    await writeKeptSum(this.#files.sumPath, {
      members: this.#members,
      numExamples: this.#numExamples,
      metrics: [...this.#metrics],
      bytesUp,
      sum,
    });
    const loose = this.#loose;
    this.#loose = [];
    this.#looseBytes = 0;
    for (const file of loose) await file.remove();
  }
}

export interface FoldOptions {
  readonly files: ReportedFiles;
  readonly written: () => Promise<void>;
  readonly rootUpdate: RootUpdate;
  readonly keptBytes?: number;
}
