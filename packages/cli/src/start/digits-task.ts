import { asDigest, asModelName, asPopulationName, asTaskName } from "@tributary/core";
import { parseTaskSpec, type TaskSpec } from "@tributary/protocol";

export const POPULATION = asPopulationName("default");
export const MODEL = asModelName("digits");
export const TASK = asTaskName("digits");

/** The built-in task: what `tributary start` teaches its fleet. */
export function digitsTask(options: {
  readonly devices: number;
  readonly heldOut: string;
  readonly rounds: number;
}): TaskSpec {
  const goalCount = Math.max(1, Math.min(options.devices, Math.round(options.devices * 0.66)));
  return parseTaskSpec({
    name: TASK,
    model: MODEL,
    population: POPULATION,
    rounds: options.rounds,
    local: { epochs: 3, batchSize: 10, learningRate: 0.1, maxExamples: 2_000 },
    cohort: {
      goalCount,
      minimumCount: Math.max(1, Math.floor(goalCount / 2)),
      overSelection: 1.3,
      trainDeadlineMs: 30_000,
      reportDeadlineMs: 15_000,
    },
    evaluation: { dataset: asDigest(options.heldOut), batchSize: 100 },
  });
}
