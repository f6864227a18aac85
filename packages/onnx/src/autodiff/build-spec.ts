import type { DType } from "@tributary/tensor";
import type { Model } from "../ir/model.ts";
import type { Trainable } from "../ir/parameters.ts";
import type { Loss } from "./loss-options.ts";
import type { MetricName, MetricOptions, MetricOutput } from "./metrics.ts";
import type { StateTensor } from "./optimizer-graph.ts";
import type { GradientOptions, OptimizerName, OptimizerOptions } from "./optimizer.ts";
import type { GraphTarget } from "./rule.ts";
import type { DropoutMask } from "./training-forms.ts";

/** An input of a graph as a feed must have it. */
export interface GraphPort {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

export interface TrainingGraphOptions extends GradientOptions {
  /** Examples a step; a short last batch is filled up with rows of weight 0. */
  readonly batchSize: number;
  readonly loss: Loss;
  /** `none` gives the gradients instead of updated parameters, for a {@link createOptimizer} outside. */
  readonly optimizer: OptimizerName | OptimizerOptions | "none";
  readonly target: GraphTarget;
  /** Others stay constants, and no backward pass goes below the lowest of these. @defaultValue "all" */
  readonly trainable?: Trainable;
  /** Of the others, those that are inputs all the same, because their values change from run to run. @defaultValue none */
  readonly frozenInputs?: readonly string[];
  /** Outputs besides the loss and the hits. */
  readonly metrics?: readonly (MetricName | MetricOptions)[];
  /**
   * Most steps of one run, from 1 to 4096, as a loop inside the graph. Fewer where so many would take more than 30 ms on
   * one WASM thread, by a step's products at 20 GF/s and what else it writes; one step is no loop. @defaultValue 1
   */
  readonly loopSteps?: number;
}

export interface EvaluationGraphOptions {
  readonly batchSize: number;
  readonly loss: Loss;
  /** @defaultValue "cpu" */
  readonly target?: GraphTarget;
  /** Parameters that are inputs; others stay constants. @defaultValue "all" */
  readonly trainable?: Trainable;
  /** Outputs besides the loss and the hits. */
  readonly metrics?: readonly (MetricName | MetricOptions)[];
}

export interface CommonSpec {
  readonly batchSize: number;
  /** What is fed of an example, in the model's order: [batchSize, …] of any element type. */
  readonly inputs: readonly GraphPort[];
  /** The first of the inputs: all there is of most models. */
  readonly features: GraphPort;
  /** [batchSize] int32 classes, or float32 of the output's shape, as the loss needs; with a loss graph, as that says */
  readonly labels: GraphPort;
  /** Where losses read several labels, the others; all are then called `tributary.labels.<output>`, or by a loss graph's input. */
  readonly moreLabels?: readonly GraphPort[];
  /** What examples call `labels` and `moreLabels`: by the output that each is for, or by a loss graph's input. */
  readonly labelNames: readonly string[];
  /** [batchSize] float32; 0 marks padding */
  readonly sampleWeights: GraphPort;
  /** Output, float32 scalar: sum of weight times loss */
  readonly lossSum: string;
  /** Output, float32 scalar: sum of the weights of hits */
  readonly correct: string;
  /** No loss here knows hits: they are 0, and no accuracy follows from them. */
  readonly noHits?: true;
  /** Outputs that were asked for, all of them sums over the examples. */
  readonly metrics?: readonly MetricOutput[];
}

export interface TrainedParameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** Graph input that takes the value. */
  readonly input: string;
  /** Graph output with the updated value, or, of an optimizer `none`, with the gradient of the weighted mean loss. */
  readonly output: string;
  /**
   * Left out: a weight, which the loss moves. A statistic is the running mean or variance of a batch normalization in
   * training mode: it is carried and federated beside the weights, but has no gradient, no optimizer state and no
   * pull of a proximal term. Its output is always the new value, momentum * input + (1 - momentum) * batch's.
   */
  readonly role?: "statistic";
}

export interface TrainingGraphSpec extends CommonSpec {
  readonly kind: "train";
  /** float32 scalar; an input of graphs that only give gradients too, where nothing reads it */
  readonly learningRate: GraphPort;
  readonly parameters: readonly TrainedParameter[];
  /** Inputs for parameters that are not trained. */
  readonly frozen?: readonly Omit<TrainedParameter, "output">[];
  /**
   * Masks of Dropouts in training mode, to be drawn anew for every step: float32 inputs, each element 0 with the
   * probability `ratio` and else 1; with a loop they begin with the axis of `maxSteps`, as the inputs do.
   */
  readonly dropouts?: readonly DropoutMask[];
  /** What the outputs of the parameters hold. Left out: their updated values. */
  readonly outputs?: "gradients";
  /** What the optimizer carries from step to step; all zeros before the first. */
  readonly state?: readonly StateTensor[];
  /** With a proximal term: the inputs for what the round began with, one for each parameter, in their order. */
  readonly baseParameters?: readonly GraphPort[];
  /** With `gradientOffsets`: the inputs for what is added to the gradients, one for each weight. */
  readonly gradientOffsets?: readonly Omit<TrainedParameter, "output">[];
  /**
   * With `loopSteps`, where several fit into a run: inputs, labels and sample weights begin with an axis of `maxSteps`
   * batches, the first of which,
   * as many as the int64 scalar `steps` says, are trained on; sums are over them all.
   */
  readonly loop?: { readonly maxSteps: number; readonly steps: GraphPort };
}

export interface EvaluationGraphSpec extends CommonSpec {
  readonly kind: "evaluate";
  readonly parameters: readonly Omit<TrainedParameter, "output">[];
}

export interface TrainingGraph {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly spec: TrainingGraphSpec;
  /** How long a step is planned to take on one WASM thread, in ms, to a factor of about two. */
  readonly stepMs: number;
  /** Names of the parameters that the loss depends on; the others stay as they are. */
  readonly moves: ReadonlySet<string>;
  /** What the file says besides its graph. */
  readonly head: Omit<Model, "graph">;
}

export interface EvaluationGraph {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly spec: EvaluationGraphSpec;
}
