import { asRoundId, encodeUtf8, sha256, type RoundId } from "@tributary/core";
import type { RoundConfig } from "@tributary/federation";
import type { TaskRecord, VersionRecord } from "../ports/records.ts";
import { weightsPath } from "../releases/target-paths.ts";
import type { RoundPlan } from "./round-plan.ts";

/** A member that lost its connection is waited for this long, at most a quarter of the reporting time. */
const RECONNECT_GRACE_MS = 5_000;

/** The rules of a synchronous round of a task. */
export function roundConfig(input: {
  readonly task: TaskRecord;
  readonly plan: RoundPlan;
  readonly base: VersionRecord;
  readonly round: number;
  readonly timestampVersion: number;
  /** Devices that may come, estimated. */
  readonly population: number;
}): RoundConfig {
  const { task, plan, base, round, timestampVersion, population } = input;
  const { goalCount, minimumCount, overSelection, trainDeadlineMs, reportDeadlineMs } = task.spec.cohort;
  const stepDeadlineMs = task.spec.secureAggregation.phaseDeadlineMs;
  const waitedForMs = plan.secure === null ? reportDeadlineMs : stepDeadlineMs;
  return {
    task: task.name,
    roundId: roundIdOf(task, round),
    round,
    baseVersion: base.version,
    plan: { target: task.plan.target, digest: task.plan.digest },
    weights: { target: weightsPath(task.model, base.version), digest: base.weights.digest },
    goalCount,
    // A secure sum's floor is in the plan, where devices read it.
    minimumCount: Math.max(minimumCount, plan.secure?.plan.minimumCohort ?? 0),
    offerLimit: Math.ceil(goalCount * overSelection),
    trainDeadlineMs,
    reportDeadlineMs,
    reconnectGraceMs: Math.min(RECONNECT_GRACE_MS, Math.ceil(waitedForMs / 4)),
    timestampVersion,
    secure: plan.secure === null ? null : { stepDeadlineMs },
    population,
  };
}

/** `<task>-<number>`; a name too long for that gives way to its digest. */
function roundIdOf({ name }: Pick<TaskRecord, "name">, round: number): RoundId {
  const suffix = `-${round}`;
  const prefix = name.length + suffix.length <= 64 ? name : sha256(encodeUtf8(name)).slice(0, 32);
  return asRoundId(`${prefix}${suffix}`);
}
