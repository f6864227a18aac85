import type { DType } from "@tributary/tensor";
import { encodeModel } from "../ir/encode.ts";
import { GraphBuilder, RESERVED_PREFIX } from "../ir/graph-builder.ts";
import { eliminateDeadCode } from "../ir/graph-order.ts";
import type { ValueInfo } from "../ir/model.ts";
import type { Trainable } from "../ir/parameters.ts";
import { appendGradients } from "./gradient-graph.ts";
import { appendLowered } from "./lower.ts";
import type { LossName } from "./loss.ts";
import { appendSoftmaxCrossEntropy } from "./loss.ts";
import type { OptimizerName } from "./optimizer.ts";
import { appendSgd } from "./optimizer.ts";
import type { PreparedModel } from "./prepare.ts";
import { prepareModel } from "./prepare.ts";
import type { GraphTarget } from "./rule.ts";

/** An input of a graph as a feed must have it. */
export interface GraphPort {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

export interface TrainingGraphOptions {
  /** Examples a step; a short last batch is filled up with rows of weight 0. */
  readonly batchSize: number;
  readonly loss: LossName;
  readonly optimizer: OptimizerName;
  readonly target: GraphTarget;
  /** @defaultValue "all" */
  readonly trainable?: Trainable;
}

export interface EvaluationGraphOptions {
  readonly batchSize: number;
  readonly loss: LossName;
  /** @defaultValue "cpu" */
  readonly target?: GraphTarget;
  /** Parameters that are inputs; others stay constants. @defaultValue "all" */
  readonly trainable?: Trainable;
}

interface CommonSpec {
  readonly batchSize: number;
  /** [batchSize, …] float32 */
  readonly features: GraphPort;
  /** [batchSize] int32 */
  readonly labels: GraphPort;
  /** [batchSize] float32; 0 marks padding */
  readonly sampleWeights: GraphPort;
  /** Output, float32 scalar: sum of weight times loss */
  readonly lossSum: string;
  /** Output, float32 scalar: sum of the weights of hits */
  readonly correct: string;
}

export interface TrainedParameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** Graph input that takes the value. */
  readonly input: string;
  /** Graph output with the updated value. */
  readonly output: string;
}

export interface TrainingGraphSpec extends CommonSpec {
  readonly kind: "train";
  /** float32 scalar */
  readonly learningRate: GraphPort;
  readonly parameters: readonly TrainedParameter[];
}

export interface EvaluationGraphSpec extends CommonSpec {
  readonly kind: "evaluate";
  readonly parameters: readonly Omit<TrainedParameter, "output">[];
}

export interface TrainingGraph {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly spec: TrainingGraphSpec;
}

export interface EvaluationGraph {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly spec: EvaluationGraphSpec;
}

const LABELS = `${RESERVED_PREFIX}labels`;
const SAMPLE_WEIGHTS = `${RESERVED_PREFIX}sampleWeights`;
const LEARNING_RATE = `${RESERVED_PREFIX}learningRate`;
const LOSS_SUM = `${RESERVED_PREFIX}lossSum`;
const CORRECT = `${RESERVED_PREFIX}correct`;

/**
 * One step of training as an ONNX graph: forward, weighted mean loss, gradients, update; parameters go in
 * and come out. Same model and options, same bytes. Errors: any `onnx/*`; RangeError on the batch size.
 */
export function buildTrainingGraph(model: Uint8Array, options: TrainingGraphOptions): TrainingGraph {
  const prepared = prepareModel(model, options);
  const { builder, forward, common } = appendForward(prepared, options.batchSize, options.target);
  const learningRate: GraphPort = { name: LEARNING_RATE, dtype: "float32", shape: [] };
  builder.declare(LEARNING_RATE, { elementType: "float32", shape: [] });
  const wanted = new Set(prepared.parameters.map(({ name }) => name));
  const gradient = builder.op("Mul", [common.loss.gradient(), LEARNING_RATE]);
  const seed = { value: prepared.logits, gradient };
  const steps = appendGradients(builder, forward, seed, wanted, options.target);
  const parameters = prepared.parameters.map(({ name, shape }): TrainedParameter => {
    const output = `${RESERVED_PREFIX}updated.${name}`;
    appendSgd(builder, name, steps.get(name), output);
    return { name, shape, input: name, output };
  });
  const spec: TrainingGraphSpec = { kind: "train", ...common.spec, learningRate, parameters };
  const outputs = parameters.map(({ output, shape }) => port({ name: output, dtype: "float32", shape }));
  return { model: finish(prepared, builder, [learningRate], outputs), spec };
}

/** Loss and hits of one batch, with the parameters as inputs. Errors as in {@link buildTrainingGraph}. */
export function buildEvaluationGraph(model: Uint8Array, options: EvaluationGraphOptions): EvaluationGraph {
  const prepared = prepareModel(model, options);
  const { builder, common } = appendForward(prepared, options.batchSize, options.target ?? "cpu");
  const parameters = prepared.parameters.map(({ name, shape }) => ({ name, shape, input: name }));
  const spec: EvaluationGraphSpec = { kind: "evaluate", ...common.spec, parameters };
  return { model: finish(prepared, builder, [], []), spec };
}

/** The model's own nodes, lowered for the target, and the loss on its logits. */
function appendForward(prepared: PreparedModel, batchSize: number, target: GraphTarget) {
  const builder = new GraphBuilder(prepared.facts);
  for (const node of prepared.graph.nodes) appendLowered(builder, node, target);
  const labels: GraphPort = { name: LABELS, dtype: "int32", shape: [batchSize] };
  const sampleWeights: GraphPort = { name: SAMPLE_WEIGHTS, dtype: "float32", shape: [batchSize] };
  for (const { name, dtype, shape } of [labels, sampleWeights]) {
    builder.declare(name, { elementType: dtype, shape });
  }
  const loss = appendSoftmaxCrossEntropy(
    builder,
    { logits: prepared.logits, labels: LABELS, sampleWeights: SAMPLE_WEIGHTS },
    { lossSum: LOSS_SUM, correct: CORRECT },
  );
  const features: GraphPort = { ...prepared.features, dtype: "float32" };
  const spec = { batchSize, features, labels, sampleWeights, lossSum: LOSS_SUM, correct: CORRECT };
  return { builder, forward: prepared.graph.nodes, common: { spec, loss } };
}

function port({ name, dtype, shape }: GraphPort): ValueInfo {
  return { name, elementType: dtype, shape };
}

function finish(
  prepared: PreparedModel,
  builder: GraphBuilder,
  moreInputs: readonly GraphPort[],
  moreOutputs: readonly ValueInfo[],
): Uint8Array<ArrayBuffer> {
  const { graph, features, parameters } = prepared;
  const promoted = new Set(parameters.map(({ name }) => name));
  const [batchSize] = features.shape as [number];
  const complete = eliminateDeadCode({
    name: graph.name,
    nodes: builder.nodes,
    initializers: [...graph.initializers.filter(({ name }) => !promoted.has(name)), ...builder.initializers],
    inputs: [
      port({ ...features, dtype: "float32" }),
      port({ name: LABELS, dtype: "int32", shape: [batchSize] }),
      port({ name: SAMPLE_WEIGHTS, dtype: "float32", shape: [batchSize] }),
      ...moreInputs.map(port),
      ...parameters.map(({ name, shape }) => port({ name, dtype: "float32", shape })),
    ],
    outputs: [
      port({ name: LOSS_SUM, dtype: "float32", shape: [] }),
      port({ name: CORRECT, dtype: "float32", shape: [] }),
      ...moreOutputs,
    ],
    valueInfo: [],
  });
  return encodeModel({
    irVersion: prepared.irVersion,
    producerName: "tributary",
    producerVersion: "",
    domain: "",
    modelVersion: 0,
    opsetImports: [{ domain: "", version: prepared.opset }],
    metadata: [],
    graph: complete,
  });
}
