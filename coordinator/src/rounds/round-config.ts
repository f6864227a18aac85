import type { RoundConfig } from "@tributary/federation";
import { roundIdOf, taskRoundRules, type SecureRoundPlan } from "@tributary/federation/aggregation";
import type { VersionRecord } from "../ports/model-records.ts";
import type { TaskRecord } from "../ports/task-records.ts";
import { weightsPath } from "../releases/target-paths.ts";

/** The rules of a synchronous round of a task. */
export function roundConfig(input: {
  readonly task: TaskRecord;
  /** Null: updates come one by one. */
  readonly secure: SecureRoundPlan | null;
  readonly base: VersionRecord;
  readonly round: number;
  /** Of the base. */
  readonly trainingRound: number;
  readonly timestampVersion: number;
  /** Devices that may come, estimated. */
  readonly population: number;
}): RoundConfig {
  const { task, secure, base, round, trainingRound, timestampVersion, population } = input;
  return {
    task: task.name,
    roundId: roundIdOf(task.name, round),
    round,
    trainingRound,
    baseVersion: base.version,
    plan: { target: task.plan.target, digest: task.plan.digest },
    weights: { target: weightsPath(task.model, base.version), digest: base.weights.digest },
    ...taskRoundRules(task.spec, secure),
    timestampVersion,
    population,
  };
}
