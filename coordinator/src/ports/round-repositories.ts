import type { DeviceId, ModelVersion, RoundId, TaskName } from "@tributary/core";
import type { BufferedCohortRecord, JournalEntry, RefusalRecord, RoundRecord } from "./round-records.ts";

export interface RoundRepository {
  /** @throws `store/conflict` when the id, or the number within the task, is taken. */
  insert(round: RoundRecord): Promise<void>;
  /** Replaces the row of the same id. @throws `store/not-found`; `store/conflict` when the stored row has already ended. */
  update(round: RoundRecord): Promise<void>;
  get(id: RoundId): Promise<RoundRecord | undefined>;
  /** Newest first; `before` is a round number (exclusive). */
  list(
    task: TaskName,
    options?: { readonly limit?: number; readonly before?: number },
  ): Promise<RoundRecord[]>;
  /** Rounds that trained and made a version, oldest first: of many the newest. `upTo` is a round number (inclusive). */
  course(
    task: TaskName,
    options: { readonly limit: number; readonly upTo?: number },
  ): Promise<readonly CourseRound[]>;
  /** Rounds that ended in a sum, newest first. */
  summed(task: TaskName, limit: number): Promise<readonly SummedRound[]>;
  /** That the task's newest such round made; null: there was none. */
  newestVersion(task: TaskName): Promise<ModelVersion | null>;
  /** Rounds with `endedAt` null: at most one of a synchronous task, more only after a crash. Oldest first. */
  open(): Promise<RoundRecord[]>;
  /** The highest round number of a task, 0 when there is none. Numbers continue from it. */
  lastNumber(task: TaskName): Promise<number>;
  /** Versions that the task's rounds have made, and rounds that made none and counted for the task itself: not those of its gate. */
  countCommitted(task: TaskName): Promise<number>;
  /** Versions that the task made, of those that this one grew out of, and it itself. */
  countVersions(task: TaskName, upTo: ModelVersion): Promise<number>;
  /**
   * Writes what became of cohorts whose sums had been buffered.
   * @throws `store/conflict` when one of them is none
   */
  settleBuffered(ids: readonly RoundId[], fate: BufferedFate): Promise<void>;
  /** Finished updates that were discarded because no cohort of a task was filled on their base. */
  countSuperseded(task: TaskName): Promise<number>;
}

/** What a curve is drawn of. */
export type CourseRound = Pick<
  RoundRecord,
  | "number"
  | "version"
  | "startedAt"
  | "endedAt"
  | "numExamples"
  | "loss"
  | "accuracy"
  | "trainLoss"
  | "trainAccuracy"
>;

/** What hid a single update in a round's sum. */
export interface SummedRound extends Pick<RoundRecord, "number" | "purpose" | "startedAt"> {
  /** In the sum. */
  readonly devices: number;
  /** Fewest members that any sum of it could have had; null: updates were reported one by one. */
  readonly threshold: number | null;
  readonly private: boolean;
}

/** In a version, with what was measured of it; or in none, and why. */
export type BufferedFate =
  | {
      readonly phase: "committed";
      readonly version: ModelVersion;
      readonly loss: number | null;
      readonly accuracy: number | null;
    }
  | { readonly phase: "abandoned"; readonly reason: string };

/** Sums of cohorts that wait for their version, and those that have one. */
export interface BufferedCohortRepository {
  /** @throws `store/conflict` when the round has one already */
  insert(cohort: BufferedCohortRecord): Promise<void>;
  /** Those that wait, in the order of their coming. */
  pending(task: TaskName): Promise<BufferedCohortRecord[]>;
  /** Newest first. */
  list(task: TaskName, options?: { readonly limit?: number }): Promise<BufferedCohortRecord[]>;
  /** @throws `store/conflict` when one of them waits no more */
  commit(
    cohorts: readonly { readonly roundId: RoundId; readonly staleness: number }[],
    version: ModelVersion,
  ): Promise<void>;
  /** Forgets sums that will be in no version. @throws `store/not-found` */
  discard(roundIds: readonly RoundId[]): Promise<void>;
}

export interface JournalRepository {
  /** @throws `store/conflict` when a sequence number is taken. */
  append(entries: readonly JournalEntry[]): Promise<void>;
  /** By sequence. */
  read(roundId: RoundId): Promise<JournalEntry[]>;
  /** Forgets the journals of rounds that ended before the time. */
  prune(endedBefore: number): Promise<void>;
}

export interface RefusalRepository {
  add(refusal: Omit<RefusalRecord, "id">): Promise<void>;
  /** Newest first; `before` is an id (exclusive). */
  list(filter: {
    readonly deviceId?: DeviceId;
    readonly roundId?: RoundId;
    readonly limit?: number;
    readonly before?: number;
  }): Promise<RefusalRecord[]>;
  count(deviceId: DeviceId, since?: number): Promise<number>;
}
