import type { TaskSpec, UpdateTensor } from "@tributary/protocol";
import type { ParameterSchema } from "@tributary/tensor";
import { invalidTask, trainedNames } from "../training-options.ts";
import { trainingOf, type TfjsSource } from "./tfjs-graphs.ts";

/** What a task trains of a TensorFlow.js model, in the file's order. */
export interface TfjsPart {
  readonly weights: readonly string[];
  readonly statistics: readonly string[];
  /** What an update holds. */
  readonly tensors: readonly UpdateTensor[];
}

/** @throws `coordinator/invalid-task` */
export function tfjsPart(spec: TaskSpec, { document }: TfjsSource, parameters: ParameterSchema): TfjsPart {
  const training = trainingOf(spec, document);
  if (spec.adapters !== null) {
    const problem = "low-rank adapters are of ONNX models; train a TensorFlow.js model's own weights";
    throw invalidTask(spec, "/adapters", problem);
  }
  const published = parameters.map(({ name }) => name);
  const wanted = new Set(trainedNames(spec, published));
  const moved = movedStatistics(spec, training.statistics);
  const statistics = published.filter((name) => wanted.has(name) && moved.has(name));
  if (spec.batchNormalization === "federated" && statistics.length === 0) {
    const problem =
      training.statistics.length === 0
        ? "federated: the model has no batch normalization"
        : "federated: no running statistics are among the parameters that the task trains; name them in /trainable";
    throw invalidTask(spec, "/batchNormalization", problem);
  }
  requireBoth(spec, training.statistics, new Set(statistics));
  const learns = new Set(training.trainable);
  const weights = published.filter((name) => wanted.has(name) && learns.has(name));
  if (weights.length === 0) {
    const problem =
      "none of these is of a layer that trains (`trainable` in the model); something has to learn";
    throw invalidTask(spec, "/trainable", problem);
  }
  const variances = new Set(training.statistics.map(({ variance }) => variance));
  const shapes = new Map(parameters.map(({ name, shape }) => [name, shape]));
  const tensorOf = (role: UpdateTensor["role"]) => (name: string) => ({
    name,
    shape: shapes.get(name)!,
    role,
    ...(variances.has(name) ? { minimum: 0 } : {}),
  });
  return {
    weights,
    statistics,
    tensors: [...weights.map(tensorOf("weight")), ...statistics.map(tensorOf("statistic"))],
  };
}

/** As exported: what the model's own training would move. */
function movedStatistics(
  { batchNormalization }: TaskSpec,
  all: readonly { readonly mean: string; readonly variance: string; readonly trainable: boolean }[],
): ReadonlySet<string> {
  if (batchNormalization === "frozen") return new Set();
  const moved = batchNormalization === "federated" ? all : all.filter(({ trainable }) => trainable);
  return new Set(moved.flatMap(({ mean, variance }) => [mean, variance]));
}

function requireBoth(
  spec: TaskSpec,
  all: readonly { readonly mean: string; readonly variance: string }[],
  moved: ReadonlySet<string>,
): void {
  const half = all.find(({ mean, variance }) => moved.has(mean) !== moved.has(variance));
  if (half === undefined) return;
  const problem = `"${half.mean}" and "${half.variance}" are trained together or not at all`;
  throw invalidTask(spec, "/trainable", problem);
}
