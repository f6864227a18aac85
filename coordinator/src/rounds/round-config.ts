import { asRoundId, encodeUtf8, sha256, type RoundId } from "@tributary/core";
import type { RoundConfig } from "@tributary/federation";
import { taskRoundRules } from "@tributary/federation/aggregation";
import type { TaskRecord, VersionRecord } from "../ports/records.ts";
import { weightsPath } from "../releases/target-paths.ts";
import type { RoundPlan } from "./round-plan.ts";

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
  return {
    task: task.name,
    roundId: roundIdOf(task, round),
    round,
    baseVersion: base.version,
    plan: { target: task.plan.target, digest: task.plan.digest },
    weights: { target: weightsPath(task.model, base.version), digest: base.weights.digest },
    ...taskRoundRules(task.spec, plan.secure),
    timestampVersion,
    population,
  };
}

/** `<task>-<number>`; a name too long for that gives way to its digest. */
function roundIdOf({ name }: Pick<TaskRecord, "name">, round: number): RoundId {
  const suffix = `-${round}`;
  const prefix = name.length + suffix.length <= 64 ? name : sha256(encodeUtf8(name)).slice(0, 32);
  return asRoundId(`${prefix}${suffix}`);
}
