/** What devices do with a LayersModel of TensorFlow.js in a task: a step of training and a look at the loss, as data. */
import {
  usesControlVariates,
  type EvaluationGraphDocument,
  type GraphPort,
  type MetricSpec,
  type TaskSpec,
  type TfjsEvaluationStep,
  type TfjsModelDocument,
  type TfjsStep,
  type TfjsTraining,
  type TfjsTrainingStep,
  type TrainingGraphDocument,
} from "@tributary/protocol";
import type { ParameterSchema, ParameterSpec } from "@tributary/tensor";
import type { PlannedGraph } from "../planned-graph.ts";
import { invalidTask } from "../training-options.ts";
import { plannedLosses, plannedMetrics, type PlannedLosses } from "./tfjs-losses.ts";
import { layerEntries, withoutActivations } from "./topology.ts";
import { whyUntrainable } from "./untrainable-layers.ts";

/** A published TensorFlow.js model. */
export interface TfjsSource {
  readonly document: TfjsModelDocument;
  /** Makes the file that devices load, of the model and of what they do with it. */
  encode(model: TfjsModelDocument, step: TfjsStep): Uint8Array<ArrayBuffer>;
}

const PREFIX = "tributary.";

/**
 * @param parameters of the model, as published
 * @param weights those that learn
 * @param statistics running means and variances that batches move
 * @throws `coordinator/invalid-task`
 */
export function tfjsTrainingGraph(
  spec: TaskSpec,
  source: TfjsSource,
  parameters: ParameterSchema,
  { weights, statistics }: { readonly weights: readonly string[]; readonly statistics: readonly string[] },
): PlannedGraph<TrainingGraphDocument> {
  const { document } = source;
  requireTrainableLayers(spec, document);
  const { dropouts: layers } = trainingOf(spec, document);
  const { batchSize, optimizer, clipGradientNorm, proximalTerm } = spec.local;
  const losses = plannedLosses(spec, document, batchSize);
  const shapes = new Map(parameters.map(({ name, shape }) => [name, shape]));
  const moved = [...weights, ...statistics].map((name) => ({ name, shape: shapes.get(name)! }));
  const learned = moved.slice(0, weights.length);
  const trained = new Set(moved.map(({ name }) => name));
  const frozen = parameters.filter(({ name }) => !trained.has(name));
  const dropouts = layers.map(({ layer, shape, ratio }) => ({
    input: `${PREFIX}dropout.${layer}`,
    shape: maskShape(spec, layer, shape, batchSize),
    ratio,
  }));
  const state = stateOf(optimizer.kind, learned);
  const graph: TrainingGraphDocument = {
    kind: "train",
    ...commonSpec(spec, document, losses, batchSize),
    learningRate: { name: `${PREFIX}learningRate`, dtype: "float32", shape: [] },
    parameters: moved.map(({ name, shape }) => ({
      name,
      shape: [...shape],
      input: name,
      output: `${PREFIX}updated.${name}`,
    })),
    ...(frozen.length === 0
      ? {}
      : { frozen: frozen.map(({ name, shape }) => ({ name, shape: [...shape], input: name })) }),
    ...(dropouts.length === 0 ? {} : { dropouts }),
    ...(state.length === 0 ? {} : { state }),
    ...(proximalTerm === null ? {} : { baseParameters: moved.map(basePort) }),
    ...(usesControlVariates(spec) ? { gradientOffsets: learned.map(offsetOf) } : {}),
  };
  const step: TfjsTrainingStep = {
    kind: "train",
    spec: graph,
    losses: losses.losses,
    metrics: [],
    optimizer,
    ...(clipGradientNorm === null ? {} : { clipGradientNorm }),
    ...(proximalTerm === null ? {} : { proximalTerm }),
    movedStatistics: statistics,
    dropoutLayers: Object.fromEntries(dropouts.map(({ input }, i) => [input, layers[i]!.layer])),
  };
  return { model: encode(source, step, losses), spec: graph };
}

/** @throws `coordinator/invalid-task` */
export function tfjsEvaluationGraph(
  spec: TaskSpec,
  source: TfjsSource,
  parameters: ParameterSchema,
  { batchSize, metrics }: { readonly batchSize: number; readonly metrics: readonly MetricSpec[] },
): PlannedGraph<EvaluationGraphDocument> {
  const { document } = source;
  if (document.kind !== "layers-model") {
    const problem =
      "a GraphModel's weights are constants while it is loaded, so that no versions are compared on it; publish the model as a LayersModel, or as ONNX";
    throw invalidTask(spec, "/model", problem);
  }
  const losses = plannedLosses(spec, document, batchSize);
  const measured = plannedMetrics({ ...spec, metrics }, losses, document);
  const graph: EvaluationGraphDocument = {
    kind: "evaluate",
    ...commonSpec(spec, document, losses, batchSize),
    ...(measured.length === 0
      ? {}
      : { metrics: measured.map(({ name, shape, metric }) => ({ name, shape, output: metric.output })) }),
    parameters: parameters.map(({ name, shape }) => ({ name, shape: [...shape], input: name })),
  };
  const step: TfjsEvaluationStep = {
    kind: "evaluate",
    spec: graph,
    losses: losses.losses,
    metrics: measured.map(({ metric }) => metric),
  };
  return { model: encode(source, step, losses), spec: graph };
}

/** What the model's file tells of its training. @throws `coordinator/invalid-task` */
export function trainingOf(spec: TaskSpec, document: TfjsModelDocument): TfjsTraining {
  if (document.training !== undefined) return document.training;
  const problem =
    document.kind === "graph-model"
      ? "a GraphModel has no variables: its weights are constants, through which TensorFlow.js has no gradients; publish the model as a LayersModel, or as ONNX"
      : "its file does not tell what trains; publish model.json again, under another name, with this release of `tributary`";
  throw invalidTask(spec, "/model", problem);
}

function requireTrainableLayers(spec: TaskSpec, { topology }: TfjsModelDocument): void {
  for (const entry of layerEntries(topology)) {
    const why = whyUntrainable(entry);
    if (why === undefined) continue;
    throw invalidTask(spec, "/model", `the layer "${entry.name}" (${entry.className}) ${why}`);
  }
}

function encode(source: TfjsSource, step: TfjsStep, losses: PlannedLosses): Uint8Array<ArrayBuffer> {
  const { training: _, ...document } = source.document;
  const topology = withoutActivations(document.topology, losses.withoutActivation);
  return source.encode({ ...document, topology }, step);
}

function commonSpec(
  spec: TaskSpec,
  { inputs: ports }: TfjsModelDocument,
  { labels: [labels, ...moreLabels], labelNames, noHits }: PlannedLosses,
  batchSize: number,
) {
  const inputs = ports.map((port) => batchPort(spec, port, batchSize));
  return {
    batchSize,
    inputs,
    features: inputs[0]!,
    labels: labels!,
    ...(moreLabels.length === 0 ? {} : { moreLabels }),
    labelNames,
    sampleWeights: { name: `${PREFIX}sampleWeights`, dtype: "float32" as const, shape: [batchSize] },
    lossSum: `${PREFIX}lossSum`,
    correct: `${PREFIX}correct`,
    ...(noHits ? { noHits: true as const } : {}),
  };
}

function batchPort(spec: TaskSpec, { name, dtype, shape }: GraphPort, batchSize: number): GraphPort {
  const [batch, ...rest] = shape;
  if ((batch === -1 || batch === batchSize) && rest.every((size) => size > 0)) {
    return { name, dtype, shape: [batchSize, ...rest] };
  }
  const problem = `the input "${name}" is [${shape.join()}]; only its first axis, the batch, may be free`;
  throw invalidTask(spec, "/model", problem);
}

function maskShape(
  spec: TaskSpec,
  layer: string,
  [, ...rest]: readonly number[],
  batchSize: number,
): number[] {
  if (rest.every((size) => size > 0)) return [batchSize, ...rest];
  throw invalidTask(
    spec,
    "/model",
    `the Dropout "${layer}" lets pass what has a free axis [-1,${rest.join()}]`,
  );
}

/** As {@link appendOptimizer} of ONNX graphs has it: zeros before the first step. */
function stateOf(
  kind: TaskSpec["local"]["optimizer"]["kind"],
  learned: readonly ParameterSpec[],
): { name: string; shape: number[]; input: string; output: string }[] {
  const tensor = (name: string, shape: readonly number[]) => ({
    name,
    shape: [...shape],
    input: `${PREFIX}state.${name}`,
    output: `${PREFIX}updated.state.${name}`,
  });
  switch (kind) {
    case "sgd":
      return [];
    case "momentum":
      return learned.map(({ name, shape }) => tensor(`momentum.${name}`, shape));
    case "adam":
    case "adamw":
      return [
        tensor("correction.first", []),
        tensor("correction.second", []),
        ...learned.flatMap(({ name, shape }) => [
          tensor(`first.${name}`, shape),
          tensor(`second.${name}`, shape),
        ]),
      ];
  }
}

function basePort({ name, shape }: ParameterSpec): GraphPort {
  return { name: `${PREFIX}base.${name}`, dtype: "float32", shape: [...shape] };
}

function offsetOf({ name, shape }: ParameterSpec) {
  return { name, shape: [...shape], input: `${PREFIX}offset.${name}` };
}
