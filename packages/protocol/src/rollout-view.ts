import Type, { type Static } from "typebox";
import { pageOf, pageQuery } from "./page.ts";
import { RolloutIdSchema } from "./rollout.ts";
import { ROLLOUT_EVIDENCE, RolloutGate, RolloutSpec, RolloutStep } from "./rollout-spec.ts";
import {
  ChannelSchema,
  ModelNameSchema,
  ModelVersionSchema,
  nullable,
  readonlyArray,
  textEnum,
  TimestampSchema,
} from "./schema.ts";

const Count = Type.Integer({ minimum: 0 });
const strict = { additionalProperties: false };

/** running and paused ones are under way; of the others nothing comes any more. */
export const ROLLOUT_STATES = ["running", "paused", "completed", "rolled-back", "aborted"] as const;
export type RolloutStateName = (typeof ROLLOUT_STATES)[number];

export const ROLLOUT_REASONS = ["operator", "gate", "deadline", "several-arms", "withdrawn"] as const;

/** Why a rollout does not go on, or how an arm ended. */
export const RolloutReason = Type.Object({ code: textEnum(ROLLOUT_REASONS), message: Type.String() });
export type RolloutReason = Static<typeof RolloutReason>;

/** How one arm compares with the control by one gate, so far. */
export const RolloutComparison = Type.Object({
  arm: Type.String(),
  /** Means, more is worse; null before there is any. */
  treated: nullable(Type.Number()),
  control: nullable(Type.Number()),
  difference: nullable(Type.Number()),
  /** What the difference is within at all times together, with the rollout's false-alarm rate for the gate. */
  lower: Type.Number(),
  upper: Type.Number(),
  /** e-value against "worse by at most the margin". */
  worse: Type.Number({ minimum: 0 }),
  /** e-value against "worse by at least the margin". */
  notWorse: Type.Number({ minimum: 0 }),
  /** Devices, or cohorts, that are compared. */
  treatedCount: Count,
  controlCount: Count,
  verdict: textEnum(["undecided", "worse", "not-worse"]),
});
export type RolloutComparison = Static<typeof RolloutComparison>;

export const RolloutGateView = Type.Object({
  ...RolloutGate.properties,
  evidence: textEnum(ROLLOUT_EVIDENCE),
  /** An e-value of 1/alpha decides. */
  alpha: Type.Number(),
  comparisons: readonlyArray(RolloutComparison),
});
export type RolloutGateView = Static<typeof RolloutGateView>;

export const RolloutView = Type.Object({
  model: ModelNameSchema,
  channel: ChannelSchema,
  rollout: RolloutIdSchema,
  state: textEnum(ROLLOUT_STATES),
  reason: nullable(RolloutReason),
  /** What the channel points to meanwhile, and the others run. */
  control: ModelVersionSchema,
  arms: readonlyArray(
    Type.Object({
      name: Type.String(),
      version: ModelVersionSchema,
      state: textEnum(["tried", "withdrawn", "released", "not-released"]),
      reason: nullable(RolloutReason),
      /** That were watched for long enough. */
      devices: Count,
    }),
  ),
  steps: readonlyArray(
    Type.Object({
      ...RolloutStep.properties,
      /** What is signed, in ten-thousandths: more than was asked for where a cohort has to be filled. */
      share: Type.Integer({ minimum: 0, maximum: 10_000 }),
      state: textEnum(["passed", "current", "ahead", "not-reached"]),
      startedAt: nullable(TimestampSchema),
      passedAt: nullable(TimestampSchema),
    }),
  ),
  gates: readonlyArray(RolloutGateView),
  /** What the present step still waits for, one sentence each. */
  waitsFor: readonlyArray(Type.String()),
  /** Devices of the control that were watched for long enough. */
  controlDevices: Count,
  createdAt: TimestampSchema,
  endedAt: nullable(TimestampSchema),
  spec: RolloutSpec,
});
export type RolloutView = Static<typeof RolloutView>;

/** Query of `GET /v1/models/:model/rollouts`. */
export const RolloutListQuery = Type.Object(pageQuery(500, 100));

/** `GET /v1/models/:model/rollouts`, newest first */
export const RolloutList = pageOf({ rollouts: readonlyArray(RolloutView) });
export type RolloutList = Static<typeof RolloutList>;

/** `POST /v1/models/:model/rollouts/:rollout/state` */
export const RolloutChange = Type.Object(
  {
    action: textEnum(["pause", "resume", "abort", "rollback", "promote"], {
      description:
        "abort: ends it, and withdraws nothing; rollback: ends it, and withdraws its arms; promote: ends it, and moves the channel to an arm",
    }),
    reason: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    /** promote: of several arms the one that is released. */
    arm: Type.Optional(Type.String({ minLength: 1, maxLength: 32 })),
  },
  strict,
);
export type RolloutChange = Static<typeof RolloutChange>;

/** `POST /v1/models/:model/versions/:version/withdrawal` */
export const VersionWithdrawal = Type.Object(
  { reason: Type.String({ minLength: 1, maxLength: 256 }) },
  strict,
);
export type VersionWithdrawal = Static<typeof VersionWithdrawal>;

/** A version that no device runs any more, and that is offered to none again. */
export const WithdrawnVersionView = Type.Object({
  model: ModelNameSchema,
  version: ModelVersionSchema,
  reason: Type.String(),
  at: TimestampSchema,
});
export type WithdrawnVersionView = Static<typeof WithdrawnVersionView>;

/** `GET /v1/models/:model/withdrawals`, newest first */
export const WithdrawnVersionList = Type.Object({ withdrawals: readonlyArray(WithdrawnVersionView) });
export type WithdrawnVersionList = Static<typeof WithdrawnVersionList>;

/** What a rollout's simulation found: `tributary rollout simulate`. */
export const RolloutSimulation = Type.Object({
  seed: Type.Integer(),
  rollouts: Count,
  /** Share of rollouts that were taken back though the versions were alike. */
  falseAlarmRate: Type.Number({ minimum: 0, maximum: 1 }),
  /** The same of versions that are worse by the margins of all gates, and by no more. */
  falseAlarmRateAtMargin: Type.Number({ minimum: 0, maximum: 1 }),
  /** Share of rollouts of a version that does the stated harm that were taken back. */
  power: Type.Number({ minimum: 0, maximum: 1 }),
  /** Treated devices by then, in half of them. */
  devicesToRollBack: nullable(Count),
  /** Percent of the step that they were at, in half of them. */
  percentAtRollBack: nullable(Type.Number()),
  /** Share of rollouts of what is no worse that came to their end. */
  completed: Type.Number({ minimum: 0, maximum: 1 }),
});
export type RolloutSimulation = Static<typeof RolloutSimulation>;
