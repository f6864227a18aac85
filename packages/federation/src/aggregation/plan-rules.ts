import {
  asRoundId,
  encodeUtf8,
  sha256,
  type Digest,
  type PopulationName,
  type RoundId,
  type TaskName,
} from "@tributary/core";
import {
  updateSchema,
  type MetricDocument,
  type Plan,
  type SecurePlan,
  type TaskSpec,
} from "@tributary/protocol";
import { planEncoding, type CohortAssumptions, type EncodingPlan } from "@tributary/secagg";
import { parameterCount, schemaDigest } from "@tributary/tensor";
import { measurementCohort } from "../planning/measurement-cohort.ts";
import type { RoundConfig } from "../server/round-types.ts";
import type { UpdateRules } from "./update-check.ts";

/** What follows from a plan for the rounds that aggregate under it. */
export interface PlanRules {
  readonly plan: Plan;
  /** Values of an update: weights, then statistics. */
  readonly weightCount: number;
  readonly statisticCount: number;
  /** Of what an update holds. */
  readonly schemaDigest: Digest;
  /** Null: updates are reported one by one. */
  readonly secure: SecureRoundPlan | null;
}

/** What a plan says of secure aggregation, as the rounds use it. */
export interface SecureRoundPlan {
  readonly plan: SecurePlan;
  readonly population: PopulationName;
  readonly encoding: EncodingPlan;
  readonly assumptions: CohortAssumptions;
  /** What a vector holds where devices measure. */
  readonly metrics?: readonly MetricDocument[];
}

export function planRules(plan: Plan): PlanRules {
  return {
    plan,
    weightCount: parameterCount(updateSchema(plan.update, "weight")),
    statisticCount: parameterCount(updateSchema(plan.update, "statistic")),
    schemaDigest: schemaDigest(updateSchema(plan.update)),
    secure: secureRoundPlan(plan),
  };
}

export function secureRoundPlan({
  population,
  secureAggregation: secure,
  metrics,
}: Pick<Plan, "population" | "secureAggregation"> &
  Pick<SecureRoundPlan, "metrics">): SecureRoundPlan | null {
  if (secure === undefined) return null;
  const { corruption, dropout } = secure;
  return {
    plan: secure,
    population,
    encoding: planEncoding(secure.encoding),
    assumptions: { corruption, dropout, adversary: "curious" },
    ...(metrics === undefined ? {} : { metrics }),
  };
}

/** What an update of a round under this plan has to be. */
export function updateRules(
  { plan, weightCount, statisticCount, schemaDigest: schema }: PlanRules,
  roundId: RoundId,
): UpdateRules {
  return {
    roundId,
    task: plan.task,
    schemaDigest: schema,
    weightCount,
    statisticCount,
    maxUpdateNorm: plan.maxUpdateNorm,
    maxStatisticChange: plan.update.maxStatisticChange,
    maxExamples: plan.local.maxExamples,
  };
}

/** A member that lost its connection is waited for this long, at most a quarter of the reporting time. */
const RECONNECT_GRACE_MS = 5_000;

/** What is the same in every round of a task. */
export type TaskRoundRules = Pick<
  RoundConfig,
  | "goalCount"
  | "minimumCount"
  | "offerLimit"
  | "trainDeadlineMs"
  | "reportDeadlineMs"
  | "reconnectGraceMs"
  | "secure"
>;

export function taskRoundRules(
  { cohort, secureAggregation }: Pick<TaskSpec, "cohort" | "secureAggregation">,
  secure: SecureRoundPlan | null,
): TaskRoundRules {
  const { goalCount, minimumCount, overSelection, trainDeadlineMs, reportDeadlineMs } = cohort;
  const stepDeadlineMs = secureAggregation.phaseDeadlineMs;
  const waitedForMs = secure === null ? reportDeadlineMs : stepDeadlineMs;
  return {
    goalCount,
    // A secure sum's floor is in the plan, where devices read it.
    minimumCount: Math.max(minimumCount, secure?.plan.minimumCohort ?? 0),
    offerLimit: Math.ceil(goalCount * overSelection),
    trainDeadlineMs,
    reportDeadlineMs,
    reconnectGraceMs: Math.min(RECONNECT_GRACE_MS, Math.ceil(waitedForMs / 4)),
    secure: secure === null ? null : { stepDeadlineMs },
  };
}

/** The rules that a round of measurements has of its own. */
export function measurementRoundRules(
  spec: Pick<TaskSpec, "gate" | "cohort">,
  secure: SecureRoundPlan | null,
): Pick<TaskRoundRules, "goalCount" | "minimumCount" | "offerLimit"> {
  const { goalCount, minimumCount, offerLimit } = measurementCohort(spec);
  return {
    goalCount,
    minimumCount: Math.max(minimumCount, secure?.plan.minimumCohort ?? 0),
    offerLimit,
  };
}

/** `<task>-<number>`; a name too long for that gives way to its digest. */
export function roundIdOf(task: TaskName, round: number): RoundId {
  const suffix = `-${round}`;
  const prefix = task.length + suffix.length <= 64 ? task : sha256(encodeUtf8(task)).slice(0, 32);
  return asRoundId(`${prefix}${suffix}`);
}
