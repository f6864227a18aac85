import type { DeviceId, ModelVersion, RoundId, TaskName } from "@tributary/core";
import type { RoundView } from "@tributary/protocol";
import type { JsonValue } from "./json.ts";
import type { BlobRef } from "./model-records.ts";

export interface PhaseRecord {
  readonly phase: RoundView["phase"];
  /** In ms since the epoch. */
  readonly at: number;
  readonly dropouts: number;
}

/**
 * One round: everything its view shows (`roundView` makes one), with times in ms since the epoch,
 * and the configuration its machine was started with (for replay).
 */
export interface RoundRecord extends Readonly<
  Omit<RoundView, "startedAt" | "endedAt" | "deadlineAt" | "phases">
> {
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly deadlineAt: number | null;
  readonly phases: readonly PhaseRecord[];
  readonly config: JsonValue;
}

/** The sum of a cohort in buffered mode, and the version it went into. */
export interface BufferedCohortRecord {
  readonly roundId: RoundId;
  readonly task: TaskName;
  /** All its members trained from this version. */
  readonly baseVersion: ModelVersion;
  /** Members in the sum. */
  readonly updates: number;
  readonly numExamples: number;
  /** `encodeCohortMean`'s. Gone, some time after the version was made. */
  readonly sum: BlobRef;
  /** When it was stored. */
  readonly at: number;
  /** Versions between its base and the one it was added to; null while it waits. */
  readonly staleness: number | null;
  /** Null while it waits. */
  readonly version: ModelVersion | null;
}

/** One control input of a round's machine, in the order it was stepped; never a vector or a secret. */
export interface JournalEntry {
  readonly roundId: RoundId;
  /** From 1, without gaps. */
  readonly sequence: number;
  readonly at: number;
  readonly input: JsonValue;
}

/** An update that did not count, and why; kept per device. */
export interface RefusalRecord {
  /** Grows: the order of their coming. */
  readonly id: number;
  readonly deviceId: DeviceId;
  readonly roundId: RoundId;
  /** An error code of the catalogue, `update/not-finite`. */
  readonly code: string;
  readonly detail: JsonValue;
  readonly at: number;
}
