import Type, { type Static } from "typebox";
import { ModelVersionSchema, nullable, readonlyArray, RoundIdSchema, TimestampSchema } from "./schema.ts";

const Count = Type.Integer({ minimum: 0 });

/** A cohort whose sum is, or was, in a task's buffer. */
export const BufferedCohortView = Type.Object({
  roundId: RoundIdSchema,
  baseVersion: ModelVersionSchema,
  /** Versions between its base and the one its sum is added to: the newest, or the one it was added to. */
  staleness: Count,
  /** s = 1 / sqrt(1 + staleness): what its sum counts. */
  discount: Type.Number({ minimum: 0, maximum: 1 }),
  /** Members in the sum. */
  updates: Count,
  numExamples: Count,
  at: TimestampSchema,
  /** The version it went into; null: it waits. */
  version: nullable(ModelVersionSchema),
});
export type BufferedCohortView = Static<typeof BufferedCohortView>;

/** A version that devices train from. */
export const LiveBaseView = Type.Object({
  version: ModelVersionSchema,
  staleness: Count,
  /** Cohorts on it that are under way. */
  cohorts: Count,
  /** Devices that were offered one of these cohorts and are not done. */
  devices: Count,
  /** Of them, those that have an update. */
  ready: Count,
});
export type LiveBaseView = Static<typeof LiveBaseView>;

/** How full a buffered task's next version is. */
export const BufferView = Type.Object({
  /** K. */
  bufferSize: Type.Integer({ minimum: 1 }),
  /** Of K. */
  updates: Count,
  maxStaleness: Count,
  /** The newest version. */
  head: ModelVersionSchema,
  liveBases: readonlyArray(LiveBaseView),
  /** Those that wait, and those of the latest versions; newest first. */
  cohorts: readonlyArray(BufferedCohortView),
  /** Finished updates that were discarded because their base could fill no cohort. */
  superseded: Count,
});
export type BufferView = Static<typeof BufferView>;

/** `GET /v1/tasks/:task/buffer`; null: the task is synchronous */
export const TaskBuffer = Type.Object({ buffer: nullable(BufferView) });
export type TaskBuffer = Static<typeof TaskBuffer>;
