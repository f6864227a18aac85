import { failure, type RoundId } from "@tributary/core";
import { learningRateAt } from "@tributary/protocol";
import { parametersFromSafetensors } from "@tributary/tensor";
import type { VersionRecord } from "../ports/model-records.ts";
import type { TaskRecord } from "../ports/task-records.ts";
import type { RoundPlan } from "./round-plan.ts";
import type { RoundServices, Workers } from "./round-services.ts";

export interface RootUpdateInput {
  readonly roundId: RoundId;
  /** From 1, for the learning rate's schedule. */
  readonly trainingRound: number;
  readonly plan: RoundPlan;
  readonly task: TaskRecord;
  /** What it is trained from. */
  readonly base: VersionRecord;
}

/**
 * The server's own update: what a device with the task's trusted examples would send. The same round gives the same one, also
 * after a restart.
 *
 * @returns its weights, in the layout's order
 * @throws `round/evaluation-failed`, `federation/training-diverged`, `dataset/*`, `engine/*`
 */
export async function trainRootUpdate(
  { blobs, evaluator }: Pick<RoundServices, "blobs"> & Pick<Workers, "evaluator">,
  { roundId, trainingRound, plan: { plan, trainingGraphs, weightCount }, task, base }: RootUpdateInput,
): Promise<Float32Array> {
  const { trustedDataset: dataset } = task.spec.strategy;
  const [graph] = trainingGraphs;
  if (dataset === undefined || graph === undefined)
    throw failure("store/corrupt", `rounds: task "${task.name}" has no trusted data set or no graph`);
  const { parameters, training, evaluation, update, local } = plan;
  const { epochs, learningRate, learningRateSchedule = { kind: "constant" }, maxExamples } = local;
  const { values: baseValues } = parametersFromSafetensors(
    parameters,
    await blobs.bytes(base.weights.digest),
  );
  const updateValues = await evaluator.rootUpdate({
    graph,
    dataset,
    spec: training.spec,
    layout: update,
    inputs: (evaluation.spec.inputs ?? [evaluation.spec.features]).map(({ name }) => name),
    parameters,
    values: baseValues,
    epochs,
    learningRate: learningRateAt(learningRate, learningRateSchedule, trainingRound),
    maxExamples,
    seed: roundId,
  });
  return updateValues.subarray(0, weightCount);
}
