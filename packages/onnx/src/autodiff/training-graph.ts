import { encodeModel } from "../ir/encode.ts";
import { GraphBuilder, RESERVED_PREFIX } from "../ir/graph-builder.ts";
import { eliminateDeadCode } from "../ir/graph-order.ts";
import type { Graph, ValueInfo } from "../ir/model.ts";
import { checkLoopSteps, loopOver } from "./build-loop.ts";
import type {
  CommonSpec,
  EvaluationGraph,
  EvaluationGraphOptions,
  EvaluationGraphSpec,
  GraphPort,
  TrainedParameter,
  TrainingGraph,
  TrainingGraphOptions,
  TrainingGraphSpec,
} from "./build-spec.ts";
import { appendGradients } from "./gradient-graph.ts";
import { appendLowered } from "./lower.ts";
import type { LossOptions } from "./loss-options.ts";
import { headOf, lossOptions } from "./loss-options.ts";
import { appendLoss } from "./loss.ts";
import { appendMetrics } from "./metrics.ts";
import type { OptimizedParameter, StateTensor } from "./optimizer-graph.ts";
import { appendGradientOptions, appendOptimizer, appendSgd } from "./optimizer-graph.ts";
import { checkGradientOptions, optimizerRule } from "./optimizer.ts";
import type { PreparedModel } from "./prepare.ts";
import { prepareModel } from "./prepare.ts";

const LABELS = `${RESERVED_PREFIX}labels`;
const SAMPLE_WEIGHTS = `${RESERVED_PREFIX}sampleWeights`;
const LEARNING_RATE = `${RESERVED_PREFIX}learningRate`;
const LOSS_SUM = `${RESERVED_PREFIX}lossSum`;
const CORRECT = `${RESERVED_PREFIX}correct`;

/**
 * One step of training as an ONNX graph: forward, weighted mean loss, gradients, update; parameters go in
 * and come out. Same model and options, same bytes. Errors: any `onnx/*`; RangeError on a setting out of its range.
 */
export function buildTrainingGraph(model: Uint8Array, options: TrainingGraphOptions): TrainingGraph {
  checkGradientOptions(options);
  checkLoopSteps(options.loopSteps, options.optimizer);
  const loss = lossOptions(options.loss);
  const prepared = prepareModel(model, { ...options, head: headOf(loss) });
  const forward = appendForward(prepared, { ...options, loss });
  const learningRate: GraphPort = { name: LEARNING_RATE, dtype: "float32", shape: [] };
  forward.builder.declare(LEARNING_RATE, { elementType: "float32", shape: [] });
  const { parameters, state, bases } = appendUpdates(prepared, forward, options);
  const spec: TrainingGraphSpec = {
    kind: "train",
    ...forward.spec,
    learningRate,
    parameters,
    ...(options.optimizer === "none" ? { outputs: "gradients" } : {}),
    ...(state.length === 0 ? {} : { state }),
    ...(bases.length === 0 ? {} : { baseParameters: bases }),
  };
  const ports = (values: readonly { readonly name: string; readonly shape: readonly number[] }[]) =>
    values.map(({ name, shape }): GraphPort => ({ name, dtype: "float32", shape }));
  const inputs = [
    learningRate,
    ...ports(parameters.map(({ input, shape }) => ({ name: input, shape }))),
    ...bases,
    ...ports(state.map(({ input, shape }) => ({ name: input, shape }))),
  ];
  const outputs = [...parameters, ...state].map(({ output, shape }) => ({ name: output, shape }));
  const step = finish(prepared, forward, inputs, ports(outputs));
  if (options.loopSteps === undefined) return { model: encode(prepared, step), spec };
  const looped = loopOver(step, spec, options.loopSteps);
  return { model: encode(prepared, looped.graph), spec: looped.spec };
}

/** Loss and hits of one batch, with the parameters as inputs. Errors as in {@link buildTrainingGraph}. */
export function buildEvaluationGraph(model: Uint8Array, options: EvaluationGraphOptions): EvaluationGraph {
  const loss = lossOptions(options.loss);
  const prepared = prepareModel(model, { ...options, head: headOf(loss) });
  const forward = appendForward(prepared, { ...options, loss });
  const parameters = prepared.parameters.map(({ name, shape }) => ({ name, shape, input: name }));
  const spec: EvaluationGraphSpec = { kind: "evaluate", ...forward.spec, parameters };
  const inputs = parameters.map(({ name, shape }): GraphPort => ({ name, dtype: "float32", shape }));
  return { model: encode(prepared, finish(prepared, forward, inputs, [])), spec };
}

interface Forward {
  readonly builder: GraphBuilder;
  readonly spec: CommonSpec;
  /** Appends the gradient at the logits and names it. */
  readonly gradient: () => string;
}

/** The model's own nodes, lowered for the target, and the loss on its logits. */
function appendForward(
  prepared: PreparedModel,
  options: Omit<EvaluationGraphOptions, "loss"> & { readonly loss: LossOptions },
): Forward {
  const { batchSize, target = "cpu", loss, metrics = [] } = options;
  const builder = new GraphBuilder(prepared.facts);
  for (const node of prepared.graph.nodes) appendLowered(builder, node, target);
  const labels: GraphPort =
    loss.kind === "softmax-cross-entropy"
      ? { name: LABELS, dtype: "int32", shape: [batchSize] }
      : { name: LABELS, dtype: "float32", shape: builder.shape(prepared.logits) };
  const sampleWeights: GraphPort = { name: SAMPLE_WEIGHTS, dtype: "float32", shape: [batchSize] };
  for (const { name, dtype, shape } of [labels, sampleWeights]) {
    builder.declare(name, { elementType: dtype, shape });
  }
  const inputs = { logits: prepared.logits, labels: LABELS, sampleWeights: SAMPLE_WEIGHTS };
  const { gradient } = appendLoss(builder, loss, inputs, { lossSum: LOSS_SUM, correct: CORRECT });
  const { inputs: fed } = prepared;
  const spec = {
    batchSize,
    inputs: fed,
    features: fed[0],
    labels,
    sampleWeights,
    lossSum: LOSS_SUM,
    correct: CORRECT,
  };
  if (metrics.length === 0) return { builder, spec, gradient };
  return { builder, spec: { ...spec, metrics: appendMetrics(builder, loss, metrics, inputs) }, gradient };
}

interface Updates {
  readonly parameters: readonly TrainedParameter[];
  readonly state: readonly StateTensor[];
  readonly bases: readonly GraphPort[];
}

/** The backward pass, and what makes updated parameters of its gradients. */
function appendUpdates(
  prepared: PreparedModel,
  { builder, gradient }: Forward,
  options: TrainingGraphOptions,
): Updates {
  const { optimizer, target, clipGradientNorm, proximalTerm } = options;
  const rule = optimizer === "none" ? undefined : optimizerRule(optimizer);
  const wanted = new Set(prepared.parameters.map(({ name }) => name));
  const differentiate = (atLogits: string) =>
    appendGradients(
      builder,
      prepared.graph.nodes,
      { value: prepared.logits, gradient: atLogits },
      wanted,
      target,
    );
  const word = rule === undefined ? "gradient" : "updated";
  const parameters = prepared.parameters.map(({ name, shape }): TrainedParameter => ({
    name,
    shape,
    input: name,
    output: `${RESERVED_PREFIX}${word}.${name}`,
  }));
  const plain = rule?.kind === "sgd" && rule.weightDecay === 0;
  if (plain && clipGradientNorm === undefined && proximalTerm === undefined) {
    const steps = differentiate(builder.op("Mul", [gradient(), LEARNING_RATE]));
    for (const { name, output } of parameters) appendSgd(builder, name, steps.get(name), output);
    return { parameters, state: [], bases: [] };
  }
  const bases = proximalTerm === undefined ? [] : parameters.map(basePort);
  for (const { name, shape } of bases) builder.declare(name, { elementType: "float32", shape });
  const gradients = differentiate(gradient());
  const optimized = appendGradientOptions(
    builder,
    parameters.map((parameter): OptimizedParameter => ({
      ...parameter,
      gradient: gradients.get(parameter.name),
    })),
    bases.map(({ name }) => name),
    options,
  );
  if (rule !== undefined) {
    return { parameters, state: appendOptimizer(builder, rule, optimized, LEARNING_RATE), bases };
  }
  for (const { input, gradient: value, output } of optimized) {
    if (value === undefined) builder.op("Mul", [input, builder.float(0)], {}, output);
    else builder.op("Identity", [value], {}, output);
  }
  return { parameters, state: [], bases };
}

function basePort({ name, shape }: TrainedParameter): GraphPort {
  return { name: `${RESERVED_PREFIX}base.${name}`, dtype: "float32", shape };
}

function port({ name, dtype, shape }: GraphPort): ValueInfo {
  return { name, elementType: dtype, shape };
}

function finish(
  prepared: PreparedModel,
  { builder, spec }: Forward,
  moreInputs: readonly GraphPort[],
  moreOutputs: readonly GraphPort[],
): Graph {
  const { graph, parameters } = prepared;
  const promoted = new Set(parameters.map(({ name }) => name));
  return eliminateDeadCode({
    name: graph.name,
    nodes: builder.nodes,
    initializers: [...graph.initializers.filter(({ name }) => !promoted.has(name)), ...builder.initializers],
    inputs: [...spec.inputs, spec.labels, spec.sampleWeights, ...moreInputs].map(port),
    outputs: [
      port({ name: LOSS_SUM, dtype: "float32", shape: [] }),
      port({ name: CORRECT, dtype: "float32", shape: [] }),
      ...(spec.metrics ?? []).map(({ output, shape }) => port({ name: output, dtype: "float32", shape })),
      ...moreOutputs.map(port),
    ],
    valueInfo: [],
  });
}

function encode(prepared: PreparedModel, graph: Graph): Uint8Array<ArrayBuffer> {
  return encodeModel({
    irVersion: prepared.irVersion,
    producerName: "tributary",
    producerVersion: "",
    domain: "",
    modelVersion: 0,
    opsetImports: [{ domain: "", version: prepared.opset }],
    metadata: [],
    graph,
  });
}
