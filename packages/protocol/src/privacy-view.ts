import Type, { type Static } from "typebox";
import { IssuerView } from "./http.ts";
import { ROUND_PURPOSES } from "./measuring.ts";
import {
  DigestSchema,
  ModelNameSchema,
  nullable,
  readonlyArray,
  TaskNameSchema,
  textEnum,
  TimestampSchema,
} from "./schema.ts";

// What a coordinator learns of people's devices, for whoever has to answer for it, over HTTP.

const Count = Type.Integer({ minimum: 0 });

/** `GET /v1/privacy`: what holds for all tasks. */
export const PrivacyView = Type.Object({
  issuer: IssuerView,
  certificateLog: Type.Object({
    size: Count,
    /** The head in the newest signed metadata, which devices check; null before the first. */
    signed: nullable(
      Type.Object({ size: Count, rootHash: DigestSchema, timestampVersion: Type.Integer({ minimum: 1 }) }),
    ),
  }),
  devices: Type.Object({
    enrolled: Count,
    /** That told how the versions on them fare, under their own name. */
    tellingHealth: Count,
  }),
  erasures: Type.Object({ requests: Count, newestAt: nullable(TimestampSchema) }),
  /** How long what is kept of devices stays, in days. */
  retention: Type.Object({ journalDays: Count, healthDays: Count, keepsAggregates: Type.Boolean() }),
});
export type PrivacyView = Static<typeof PrivacyView>;

/** Why single updates were not hidden among enough others. */
export const NOT_PRIVATE = ["plain", "small-cohort"] as const;

/** `GET /v1/tasks/:task/privacy` */
export const TaskPrivacy = Type.Object({
  task: TaskNameSchema,
  model: ModelNameSchema,
  rounds: Type.Object(
    {
      private: Count,
      notPrivate: readonlyArray(Type.Object({ why: textEnum(NOT_PRIVATE), rounds: Count })),
      /** Of the newest rounds that ended in a sum. */
      smallest: nullable(Count),
      largest: nullable(Count),
    },
    { description: "Of rounds that ended in a sum, the newest 10,000" },
  ),
  /** Smallest sum that could have come out of any of these rounds under masks: each update hides among so many. */
  leastHidden: nullable(Count),
  cohorts: readonlyArray(
    Type.Object({
      round: Type.Integer({ minimum: 1 }),
      purpose: textEnum(ROUND_PURPOSES),
      at: TimestampSchema,
      devices: Count,
      private: Type.Boolean(),
    }),
    { description: "Of the newest 200 such rounds, oldest first" },
  ),
  /** Names of what devices count and add up with their updates, under the same masks. */
  metrics: readonlyArray(Type.String()),
});
export type TaskPrivacy = Static<typeof TaskPrivacy>;
