import { asDigest, asModelName, asPopulationName, asTaskName } from "@tributary/core";
import { parseTaskSpec, type TaskSpec } from "@tributary/protocol";
import { counted } from "../counted.ts";

export const POPULATION = asPopulationName("default");
export const MODEL = asModelName("digits");
export const TASK = asTaskName("digits");

/** What a device insists on unless its app says otherwise: sums of fewer members are not private. */
export const PRIVATE_COHORT = 16;
/** A cohort that may lose four members and is still of sixteen. */
const ROOMY_COHORT = 20;
/** With two members each sees the other's update: there is nothing to hide in. */
export const LEAST_SECURE_COHORT = 3;
/** Of the devices that could take part: a round does not wait for the slowest. */
const COHORT_SHARE = 0.66;

/**
 * The built-in task: what `tributary start` teaches its fleet. Fewer than sixteen devices are summed under masks too,
 * as a trial that is not private; fewer than three report one by one.
 */
export function digitsTask(options: {
  readonly devices: number;
  readonly heldOut: string;
  readonly rounds: number;
  /** @defaultValue on where there are devices enough */
  readonly secureAggregation?: "on" | "off";
}): TaskSpec {
  const { devices, secureAggregation: mode = devices < LEAST_SECURE_COHORT ? "off" : "on" } = options;
  const share = Math.max(1, Math.round(devices * COHORT_SHARE));
  const goalCount =
    mode === "on"
      ? Math.min(devices, Math.max(share, devices < PRIVATE_COHORT ? LEAST_SECURE_COHORT : ROOMY_COHORT))
      : share;
  const half = Math.max(1, Math.floor(goalCount / 2));
  const floor = goalCount < PRIVATE_COHORT ? Math.max(LEAST_SECURE_COHORT, half) : PRIVATE_COHORT;
  return parseTaskSpec({
    name: TASK,
    model: MODEL,
    population: POPULATION,
    rounds: options.rounds,
    trainable: ["*"],
    loss: { kind: "softmax-cross-entropy" },
    moreLosses: [],
    metrics: [],
    local: {
      epochs: 3,
      batchSize: 10,
      learningRate: 0.1,
      maxExamples: 2_000,
      optimizer: { kind: "sgd" },
      clipGradientNorm: null,
      loopSteps: 64,
    },
    cohort: {
      goalCount,
      minimumCount: mode === "on" ? floor : half,
      overSelection: 1.3,
      trainDeadlineMs: 30_000,
      reportDeadlineMs: 15_000,
    },
    evaluation: { dataset: asDigest(options.heldOut), batchSize: 100 },
    secureAggregation: mode === "on" ? { mode, minimumCohort: floor } : { mode },
  });
}

/** The floor that the devices of this app need for the task: their own sixteen, but in a trial. */
export function floorFor({
  secureAggregation: { mode, minimumCohort },
}: Pick<TaskSpec, "secureAggregation">): number {
  return mode === "on" ? Math.min(PRIVATE_COHORT, minimumCohort) : PRIVATE_COHORT;
}

/** What the coordinator sees of a device's update, in one line. */
export function privacyLine({
  secureAggregation: { mode, minimumCohort },
}: Pick<TaskSpec, "secureAggregation">): string {
  if (mode === "off") return "secure aggregation is off: this coordinator sees each update before it adds it";
  if (minimumCohort < PRIVATE_COHORT) {
    return `a trial: updates are summed under masks, but sums may be of ${counted(minimumCohort, "device")}: not private`;
  }
  return `updates are summed under masks, in sums of at least ${counted(minimumCohort, "device")}`;
}
