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
import { lossTerms } from "./loss-options.ts";
import { boundedLoopSteps, stepMs } from "./loop-bound.ts";
import type { AppendedLosses, ReadTerm } from "./loss-terms.ts";
import { appendLosses, CORRECT, headsOf, LOSS_SUM, readTerms } from "./loss-terms.ts";
import type { OptimizedParameter, StateTensor } from "./optimizer-graph.ts";
import {
  appendGradientOffsets,
  appendGradientOptions,
  appendOptimizer,
  appendSgd,
} from "./optimizer-graph.ts";
import { checkGradientOptions, optimizerRule } from "./optimizer.ts";
import type { PreparedModel } from "./prepare.ts";
import { prepareModel } from "./prepare.ts";
import { SAMPLE_WEIGHTS } from "./reserved-names.ts";

const LEARNING_RATE = `${RESERVED_PREFIX}learningRate`;

/**
 * One step of training as an ONNX graph: forward, weighted mean loss, gradients, update; parameters go in
 * and come out. Same model and options, same bytes. Errors: any `onnx/*`; RangeError on a number out of its range.
 */
export function buildTrainingGraph(model: Uint8Array, options: TrainingGraphOptions): TrainingGraph {
  checkGradientOptions(options);
  checkLoopSteps(options.loopSteps, options.optimizer);
  const terms = readTerms(lossTerms(options.loss));
  const prepared = prepareModel(model, { ...options, purpose: "train", heads: headsOf(terms) });
  const forward = appendForward(prepared, terms, options);
  const learningRate: GraphPort = { name: LEARNING_RATE, dtype: "float32", shape: [] };
  forward.builder.declare(LEARNING_RATE, { elementType: "float32", shape: [] });
  const { parameters, state, bases, offsets, moves } = appendUpdates(prepared, forward, options);
  const spec: TrainingGraphSpec = {
    kind: "train",
    ...forward.spec,
    learningRate,
    parameters,
    ...(prepared.frozen.length === 0
      ? {}
      : { frozen: prepared.frozen.map(({ name, shape }) => ({ name, shape, input: name })) }),
    ...(prepared.dropouts.length === 0 ? {} : { dropouts: prepared.dropouts }),
    ...(options.optimizer === "none" ? { outputs: "gradients" } : {}),
    ...(state.length === 0 ? {} : { state }),
    ...(bases.length === 0 ? {} : { baseParameters: bases }),
    ...(offsets.length === 0 ? {} : { gradientOffsets: offsets }),
  };
  const ports = (values: readonly { readonly name: string; readonly shape: readonly number[] }[]) =>
    values.map(({ name, shape }): GraphPort => ({ name, dtype: "float32", shape }));
  const inputs = [
    learningRate,
    ...ports(parameters.map(({ input, shape }) => ({ name: input, shape }))),
    ...ports(prepared.frozen),
    ...ports(prepared.dropouts.map(({ input, shape }) => ({ name: input, shape }))),
    ...bases,
    ...ports(offsets.map(({ input, shape }) => ({ name: input, shape }))),
    ...ports(state.map(({ input, shape }) => ({ name: input, shape }))),
  ];
  const outputs = [...parameters, ...state].map(({ output, shape }) => ({ name: output, shape }));
  const step = finish(prepared, forward, inputs, ports(outputs));
  const { loopSteps = 1 } = options;
  const takenMs = stepMs(step.nodes, forward.builder.facts);
  const built = { stepMs: takenMs, moves, head: headOf(prepared) };
  const steps = boundedLoopSteps(loopSteps, takenMs);
  if (steps === 1) return { ...built, model: encode(prepared, step), spec };
  const looped = loopOver(step, spec, steps);
  return { ...built, model: encode(prepared, looped.graph), spec: looped.spec };
}

/** Loss and hits of one batch, with the parameters as inputs. Errors as in {@link buildTrainingGraph}. */
export function buildEvaluationGraph(model: Uint8Array, options: EvaluationGraphOptions): EvaluationGraph {
  const terms = readTerms(lossTerms(options.loss));
  const prepared = prepareModel(model, { ...options, purpose: "evaluate", heads: headsOf(terms) });
  const forward = appendForward(prepared, terms, options);
  const parameters = prepared.parameters.map(({ name, shape }) => ({ name, shape, input: name }));
  const spec: EvaluationGraphSpec = { kind: "evaluate", ...forward.spec, parameters };
  const inputs = parameters.map(({ name, shape }): GraphPort => ({ name, dtype: "float32", shape }));
  return { model: encode(prepared, finish(prepared, forward, inputs, [])), spec };
}

interface Forward {
  readonly builder: GraphBuilder;
  readonly spec: CommonSpec;
  readonly losses: AppendedLosses;
}

/** The model's own nodes, lowered for the target, and the losses on its outputs. */
function appendForward(
  prepared: PreparedModel,
  terms: readonly ReadTerm[],
  options: Pick<EvaluationGraphOptions, "batchSize" | "target" | "metrics">,
): Forward {
  const { batchSize, target = "cpu", metrics = [] } = options;
  const builder = new GraphBuilder(prepared.facts);
  for (const node of prepared.graph.nodes) appendLowered(builder, node, target);
  const losses = appendLosses(builder, prepared, terms, { batchSize, target, metrics });
  const [labels, ...moreLabels] = losses.labels as readonly [GraphPort, ...GraphPort[]];
  const spec: CommonSpec = {
    batchSize,
    inputs: prepared.inputs,
    features: prepared.inputs[0],
    labels,
    ...(moreLabels.length === 0 ? {} : { moreLabels }),
    labelNames: losses.labelNames,
    sampleWeights: { name: SAMPLE_WEIGHTS, dtype: "float32", shape: [batchSize] },
    lossSum: LOSS_SUM,
    correct: CORRECT,
    ...(losses.knowsHits ? {} : { noHits: true }),
    ...(losses.metrics.length === 0 ? {} : { metrics: losses.metrics }),
  };
  return { builder, spec, losses };
}

interface Updates {
  readonly parameters: readonly TrainedParameter[];
  readonly state: readonly StateTensor[];
  readonly bases: readonly GraphPort[];
  readonly offsets: NonNullable<TrainingGraphSpec["gradientOffsets"]>;
  readonly moves: ReadonlySet<string>;
}

/** The backward pass, and what makes updated parameters of its gradients. */
function appendUpdates(
  prepared: PreparedModel,
  { builder, losses }: Forward,
  options: TrainingGraphOptions,
): Updates {
  const { optimizer, target, clipGradientNorm, proximalTerm, gradientOffsets = false } = options;
  const rule = optimizer === "none" ? undefined : optimizerRule(optimizer);
  const weights = prepared.parameters.filter(({ moved }) => moved === undefined);
  const wanted = new Set(weights.map(({ name }) => name));
  const nodes = [...prepared.graph.nodes, ...losses.nodes];
  const differentiate = (factor?: string) =>
    appendGradients(builder, nodes, losses.seeds(factor), wanted, target);
  const word = rule === undefined ? "gradient" : "updated";
  const parameters = prepared.parameters.map(({ name, shape, moved }): TrainedParameter => {
    if (moved !== undefined) return { name, shape, input: name, output: moved, role: "statistic" };
    return { name, shape, input: name, output: `${RESERVED_PREFIX}${word}.${name}` };
  });
  const learned = parameters.filter(({ role }) => role === undefined);
  const plain = rule?.kind === "sgd" && rule.weightDecay === 0;
  if (plain && clipGradientNorm === undefined && proximalTerm === undefined && !gradientOffsets) {
    const steps = differentiate(LEARNING_RATE);
    for (const { name, output } of learned) appendSgd(builder, name, steps.get(name), output);
    return { parameters, state: [], bases: [], offsets: [], moves: new Set(steps.keys()) };
  }
  const bases = proximalTerm === undefined ? [] : parameters.map(basePort);
  for (const { name, shape } of bases) builder.declare(name, { elementType: "float32", shape });
  const offsets = gradientOffsets ? learned.map(offsetOf) : [];
  for (const { input, shape } of offsets) builder.declare(input, { elementType: "float32", shape });
  const gradients = differentiate();
  const moves = new Set(gradients.keys());
  const directed = appendGradientOptions(
    builder,
    learned.map((parameter): OptimizedParameter => ({
      ...parameter,
      gradient: gradients.get(parameter.name),
    })),
    bases.filter((_, i) => parameters[i]!.role === undefined).map(({ name }) => name),
    options,
  );
  const optimized = appendGradientOffsets(builder, directed, offsets);
  if (rule !== undefined) {
    const state = appendOptimizer(builder, rule, optimized, LEARNING_RATE);
    return { parameters, state, bases, offsets, moves };
  }
  for (const { input, gradient: value, output } of optimized) {
    if (value === undefined) builder.op("Mul", [input, builder.float(0)], {}, output);
    else builder.op("Identity", [value], {}, output);
  }
  return { parameters, state: [], bases, offsets, moves };
}

function offsetOf({ name, shape }: TrainedParameter): Omit<TrainedParameter, "output"> {
  return { name, shape, input: `${RESERVED_PREFIX}offset.${name}` };
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
  const { graph, parameters, frozen } = prepared;
  const promoted = new Set([...parameters, ...frozen].map(({ name }) => name));
  return eliminateDeadCode({
    name: graph.name,
    nodes: builder.nodes,
    initializers: [...graph.initializers.filter(({ name }) => !promoted.has(name)), ...builder.initializers],
    inputs: [...spec.inputs, spec.labels, ...(spec.moreLabels ?? []), spec.sampleWeights, ...moreInputs].map(
      port,
    ),
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
  return encodeModel({ ...headOf(prepared), graph });
}

function headOf({ irVersion, opset }: PreparedModel): TrainingGraph["head"] {
  return {
    irVersion,
    producerName: "tributary",
    producerVersion: "",
    domain: "",
    modelVersion: 0,
    opsetImports: [{ domain: "", version: opset }],
    metadata: [],
  };
}
