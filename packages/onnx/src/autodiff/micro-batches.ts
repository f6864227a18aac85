/** A step of training cut in two: gradients of a few examples at a time, and what the optimizer makes of their mean. */
import { encodeModel } from "../ir/encode.ts";
import { GraphBuilder, RESERVED_PREFIX } from "../ir/graph-builder.ts";
import type { ValueInfo } from "../ir/model.ts";
import type {
  GraphPort,
  TrainedParameter,
  TrainingGraph,
  TrainingGraphOptions,
  TrainingGraphSpec,
} from "./build-spec.ts";
import { lossTerms, type Loss } from "./loss-options.ts";
import {
  appendGradientOffsets,
  appendGradientOptions,
  appendOptimizer,
  type OptimizedParameter,
  type StateTensor,
} from "./optimizer-graph.ts";
import { optimizerRule } from "./optimizer.ts";
import { buildTrainingGraph } from "./training-graph.ts";

/** Why a step is not cut: it is short as it is, or its gradient is not the mean of those of its parts. */
export type WholeReason =
  /** Planned to take less than 4 ms of one WASM thread, or of one example. */
  | "short"
  /** Batch normalization by the batch: each example's gradient depends on all others. */
  | "batch-statistics"
  /** The mean divides by the classes' weights in the batch. */
  | "class-weights"
  /** A loss graph may compare the examples of a batch with each other. */
  | "loss-graph"
  /** A mask of a Dropout has no axis for the examples. */
  | "dropout";

/** The optimizer's step by itself: weights, state and gradients go in, weights and state come out. */
export interface OptimizerStepSpec {
  readonly kind: "optimizer-step";
  readonly learningRate: GraphPort;
  readonly parameters: readonly TrainedParameter[];
  /** Inputs for the mean gradients, by the parameters' names; one that the loss does not depend on has none. */
  readonly gradients: readonly Omit<TrainedParameter, "output">[];
  readonly state?: readonly StateTensor[];
  readonly baseParameters?: readonly GraphPort[];
  readonly gradientOffsets?: readonly Omit<TrainedParameter, "output">[];
}

/** Graphs by which a batch is trained on in parts. */
export interface MicroBatchGraphs {
  /**
   * Loss, hits and gradients of so many examples, the largest first and the last of one; the spec is that of one example, the others differ
   * in the first axis of what is fed of examples.
   */
  readonly parts: readonly { readonly batchSize: number; readonly model: Uint8Array<ArrayBuffer> }[];
  readonly spec: TrainingGraphSpec;
  readonly step: { readonly model: Uint8Array<ArrayBuffer>; readonly spec: OptimizerStepSpec };
}

/** A step that is planned to take less on one WASM thread stays below 40 ms on a device ten times as slow. */
const SHORT_MS = 4;

/**
 * Cuts the step of {@link buildTrainingGraph}, given what that made of the same model and options. The gradient of the batch's weighted mean
 * loss is the mean of those of its parts, each by its part's share of the weights: exactly so in real numbers, and in float32 to the rounding
 * of sums in another order. Clipping, the proximal term, offsets and the optimizer see that mean alone, as in the whole step.
 * Errors: those of buildTrainingGraph.
 */
export function buildMicroBatches(
  model: Uint8Array,
  options: TrainingGraphOptions,
  whole: TrainingGraph,
): MicroBatchGraphs | WholeReason {
  const reason = wholeReason(options.loss, whole);
  if (reason !== undefined) return reason;
  const { clipGradientNorm: _, proximalTerm: __, gradientOffsets: ___, loopSteps: ____, ...plain } = options;
  const build = (batchSize: number) => buildTrainingGraph(model, { ...plain, batchSize, optimizer: "none" });
  const single = build(1);
  const parts = halvings(options.batchSize).map((batchSize) => ({
    batchSize,
    model: batchSize === 1 ? single.model : build(batchSize).model,
  }));
  return { parts, spec: single.spec, step: buildStep(whole, single, options) };
}

function wholeReason(loss: Loss, { spec, stepMs }: TrainingGraph): WholeReason | undefined {
  const { batchSize, dropouts = [] } = spec;
  if (batchSize === 1 || spec.loop !== undefined || stepMs < SHORT_MS) return "short";
  if (spec.parameters.some(({ role }) => role === "statistic")) return "batch-statistics";
  for (const { loss: own } of lossTerms(loss)) {
    if (own.kind === "graph") return "loss-graph";
    if (own.kind === "softmax-cross-entropy" && own.classWeights !== undefined) return "class-weights";
  }
  return dropouts.every(({ shape }) => shape[0] === batchSize) ? undefined : "dropout";
}

/** Half of it, half of that, and so on, rounded up, to 1. */
function halvings(batchSize: number): number[] {
  const sizes: number[] = [];
  for (let size = batchSize; size > 1;) {
    size = Math.ceil(size / 2);
    sizes.push(size);
  }
  return sizes;
}

function buildStep(
  whole: TrainingGraph,
  single: TrainingGraph,
  options: TrainingGraphOptions,
): MicroBatchGraphs["step"] {
  const { learningRate, parameters, baseParameters = [], gradientOffsets = [] } = whole.spec;
  const builder = new GraphBuilder();
  const declare = (name: string, shape: readonly number[]): void =>
    builder.declare(name, { elementType: "float32", shape });
  declare(learningRate.name, []);
  for (const { input, shape } of [...parameters, ...gradientOffsets]) declare(input, shape);
  for (const { name, shape } of baseParameters) declare(name, shape);
  const gradients = parameters
    .filter(({ name }) => single.moves.has(name))
    .map(({ name, shape }) => ({ name, shape, input: `${RESERVED_PREFIX}mean.${name}` }));
  for (const { input, shape } of gradients) declare(input, shape);
  const inputOf = new Map(gradients.map(({ name, input }) => [name, input]));
  const directed = appendGradientOptions(
    builder,
    parameters.map((parameter): OptimizedParameter => ({
      ...parameter,
      gradient: inputOf.get(parameter.name),
    })),
    baseParameters.map(({ name }) => name),
    options,
  );
  const optimized = appendGradientOffsets(builder, directed, gradientOffsets);
  // Gradients alone have no micro-batches: there is an optimizer.
  const rule = optimizerRule(options.optimizer as Exclude<typeof options.optimizer, "none">);
  const state = appendOptimizer(builder, rule, optimized, learningRate.name);
  const float = (name: string, shape: readonly number[]): ValueInfo => ({
    name,
    elementType: "float32",
    shape,
  });
  const fed = [...parameters, ...gradients, ...gradientOffsets, ...state];
  return {
    spec: {
      kind: "optimizer-step",
      learningRate,
      parameters,
      gradients,
      ...(state.length === 0 ? {} : { state }),
      ...(baseParameters.length === 0 ? {} : { baseParameters }),
      ...(gradientOffsets.length === 0 ? {} : { gradientOffsets }),
    },
    model: encodeModel({
      ...single.head,
      graph: {
        name: "optimizer-step",
        nodes: builder.nodes,
        initializers: builder.initializers,
        inputs: [
          float(learningRate.name, []),
          ...fed.map(({ input, shape }) => float(input, shape)),
          ...baseParameters.map(({ name, shape }) => float(name, shape)),
        ],
        outputs: [...parameters, ...state].map(({ output, shape }) => float(output, shape)),
        valueInfo: [],
      },
    }),
  };
}
