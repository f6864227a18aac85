import { failure } from "@tributary/core";
import {
  decodeModel,
  lowRankTrainingModel,
  runningStatistics,
  type RunningStatistic,
  type TrainingGraphSpec,
} from "@tributary/onnx";
import type { PlanAdapters, TaskSpec, UpdateLayout, UpdateTensor } from "@tributary/protocol";
import { invalidTask, trainedNames } from "./training-options.ts";

/** What a task trains, before there is a graph of it. */
export interface TrainedPart {
  /** The model that the training graph is built from: with adapters where the task asks for them. */
  readonly model: Uint8Array;
  /** Its weights and statistics that the training graph moves. */
  readonly names: readonly string[];
  readonly statistics: readonly RunningStatistic[];
  readonly adapters: PlanAdapters | undefined;
}

/**
 * @param complete the model as it was exported, with the weights of some version
 * @param published names of the model's parameters
 * @throws `coordinator/invalid-task`, `onnx/*`
 */
export function trainedPart(
  spec: TaskSpec,
  planNumber: number,
  complete: Uint8Array,
  published: readonly string[],
): TrainedPart {
  const wanted = trainedNames(spec, published);
  const all = runningStatistics(decodeModel(complete).graph);
  const moved = movedStatistics(spec, all).filter(({ name }) => wanted.includes(name));
  if (spec.batchNormalization === "federated" && moved.length === 0) {
    throw invalidTask(
      spec,
      "/batchNormalization",
      all.length === 0
        ? "federated: the model has no batch normalization"
        : "federated: no running statistics are among the published parameters that the task trains; publish the model again under another name, or name them in /trainable",
    );
  }
  const names = moved.map(({ name }) => name);
  const kept = new Set(all.map(({ name }) => name));
  if (spec.adapters === null) {
    const weights = wanted.filter((name) => !kept.has(name));
    if (weights.length > 0)
      return { model: complete, names: [...weights, ...names], statistics: moved, adapters: undefined };
    throw invalidTask(spec, "/trainable", "names running statistics alone; something has to learn");
  }
  const { targets, rank, alpha = rank, freezeA } = spec.adapters;
  const adapters = { targets, rank, alpha, freezeA, seed: `${spec.name} ${planNumber}` };
  const adapted = withAdapters(spec, complete, adapters);
  return { model: adapted.model, names: [...adapted.trainable, ...names], statistics: moved, adapters };
}

/** What an update holds when devices step this graph: its weights, then its statistics, each in the file's order. */
export function updateLayout(
  spec: TaskSpec,
  graph: TrainingGraphSpec,
  { statistics }: TrainedPart,
): UpdateLayout {
  const variances = new Set(statistics.filter(({ kind }) => kind === "variance").map(({ name }) => name));
  const tensors = graph.parameters.map(({ name, shape, role = "weight" as const }): UpdateTensor => ({
    name,
    shape,
    role,
    ...(variances.has(name) ? { minimum: 0 } : {}),
  }));
  return {
    tensors: [
      ...tensors.filter(({ role }) => role === "weight"),
      ...tensors.filter(({ role }) => role === "statistic"),
    ],
    maxStatisticChange: spec.maxStatisticChange,
  };
}

function movedStatistics(
  { batchNormalization }: TaskSpec,
  all: readonly RunningStatistic[],
): readonly RunningStatistic[] {
  if (batchNormalization === "frozen") return [];
  return batchNormalization === "federated" ? all : all.filter(({ training }) => training);
}

function withAdapters(spec: TaskSpec, complete: Uint8Array, adapters: PlanAdapters) {
  try {
    return lowRankTrainingModel(complete, adapters);
  } catch (cause) {
    const { message } = cause as Error;
    throw failure("coordinator/invalid-task", `registry: task "${spec.name}": /adapters: ${message}`, {
      detail: { path: "/adapters", problem: message.slice(0, 200) },
      cause,
    });
  }
}
