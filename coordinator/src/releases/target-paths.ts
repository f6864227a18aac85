import type { Digest, ModelName, ModelVersion, TaskName } from "@tributary/core";

// Where everything that a release consists of has its place. Paths name; bytes are served by digest.

export function manifestPath(model: ModelName, channel: string): string {
  return `models/${model}/${channel}.json`;
}

/** Named by its content: versions with the same graph share one target. */
export function graphPath(model: ModelName, digest: Digest): string {
  return `models/${model}/graphs/${digest.slice(0, 16)}.onnx`;
}

export function explanationPath(model: ModelName, digest: Digest): string {
  return `models/${model}/explanations/${digest.slice(0, 16)}.onnx`;
}

/** Named by its content: the document on how devices personalise a model, or a graph of it. */
export function personalisationPath(model: ModelName, digest: Digest, kind: "json" | "onnx"): string {
  return `models/${model}/personalisation/${digest.slice(0, 16)}.${kind}`;
}

export function weightsPath(model: ModelName, version: ModelVersion): string {
  return `${versionFolder(model, version)}/weights.safetensors`;
}

export function int8WeightsPath(model: ModelName, version: ModelVersion): string {
  return `${versionFolder(model, version)}/weights.int8.safetensors`;
}

export function variantPath(model: ModelName, version: ModelVersion, name: string): string {
  return `${versionFolder(model, version)}/${name}.onnx`;
}

function versionFolder(model: ModelName, version: ModelVersion): string {
  return `models/${model}/versions/${version}`;
}

/** A task's plan number `number` (from 1) and its graphs. */
export function planPaths(
  model: ModelName,
  task: TaskName,
  number: number,
): Readonly<Record<"plan" | "train" | "trainWebgpu" | "evaluate", string>> {
  const folder = planFolder(model, task, number);
  return {
    plan: `models/${model}/plans/${task}/${number}.json`,
    train: `${folder}train.onnx`,
    trainWebgpu: `${folder}train.webgpu.onnx`,
    evaluate: `${folder}evaluate.onnx`,
  };
}

/** Where the graphs of a plan lie. */
export function planFolder(model: ModelName, task: TaskName, number: number): string {
  return `models/${model}/plans/${task}/${number}/`;
}

/** The graphs by which batches of a plan are cut: of so many examples, or of the optimizer's step. */
export function microBatchPath(
  model: ModelName,
  task: TaskName,
  number: number,
  part: number | "step",
): string {
  return `${planFolder(model, task, number)}micro.${part}.onnx`;
}

/** The coordinator's control variate after a version of a task with SCAFFOLD. */
export function controlPath(model: ModelName, task: TaskName, version: ModelVersion): string {
  return `${controlFolder(model, task)}${version}.safetensors`;
}

/** Where those of a task lie. */
export function controlFolder(model: ModelName, task: TaskName): string {
  return `models/${model}/controls/${task}/`;
}

/** The plan of a task's measurements, number `number` (from 1), and the graph that they run. */
export function measurementPaths(
  model: ModelName,
  task: TaskName,
  number: number,
): Readonly<Record<"plan" | "evaluate", string>> {
  const folder = `models/${model}/measurements/${task}/${number}`;
  return { plan: `${folder}.json`, evaluate: `${folder}/evaluate.onnx` };
}
