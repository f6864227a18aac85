import type { ChosenStrategy } from "@tributary/aggregation";
import type { DeviceId } from "@tributary/core";
import type { RoundConfig, RoundInput, RoundState } from "@tributary/federation";
import type { ModelRecord, VersionRecord } from "../ports/model-records.ts";
import type { RoundRecord } from "../ports/round-records.ts";
import type { TaskRecord } from "../ports/task-records.ts";
import type { MeasurementRound } from "./measurement/measurement-round.ts";
import type { Reported } from "./reported-files.ts";
import type { RoundPlan } from "./round-plan.ts";
import type { RoundServices, Workers } from "./round-services.ts";

/** An input without its time: the driver's clock adds it. */
export type TimelessInput = RoundInput extends infer Input
  ? Input extends RoundInput
    ? Omit<Input, "now">
    : never
  : never;

/** A round that another process began, as its journal tells it. */
export interface PastRound {
  readonly record: RoundRecord;
  readonly state: RoundState;
  /** First offer, in the time of its inputs; null: none yet. */
  readonly trainingAt: number | null;
  /** How many inputs led there. */
  readonly inputs: number;
  /** The updates that it counts, in the order they came. */
  readonly reported: readonly Reported[];
}

export type RoundRunOptions = RoundRunCommon & (TrainingWork | MeasurementWork);

/** Devices train, and the round makes a version. */
export interface TrainingWork {
  readonly plan: RoundPlan;
  readonly strategy: ChosenStrategy;
  readonly measurement?: undefined;
}

/** Devices measure versions that are there. */
export interface MeasurementWork {
  readonly measurement: MeasurementRound;
  readonly plan?: undefined;
  readonly strategy?: undefined;
}

export interface RoundRunCommon {
  readonly services: RoundServices & Workers;
  readonly config: RoundConfig;
  readonly task: TaskRecord;
  readonly model: ModelRecord;
  readonly base: VersionRecord;
  readonly uploadFolder: string;
  /** A device got an offer. */
  readonly offered: (device: DeviceId) => void;
  /** The number of devices with an offer, or waiting for one, changed. */
  readonly seatsChanged: () => void;
  /** In buffered mode: seats these devices in the next cohort on the same base. */
  readonly carry?: (devices: readonly DeviceId[]) => void;
  /** The round has ended; its row may still be on its way to the store. */
  readonly over: () => void;
}
