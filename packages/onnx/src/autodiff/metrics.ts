import type { GraphBuilder } from "../ir/graph-builder.ts";
import { RESERVED_PREFIX } from "../ir/graph-builder.ts";
import { invalid, type LossOptions } from "./loss-options.ts";
import type { LossInputs } from "./loss-parts.ts";
import { rowMeans, rowsOf, sumAll } from "./loss-parts.ts";

/** Metrics that need no setting. */
export type MetricName = "confusion" | "mae";

/** What a graph is to measure besides the loss and the hits. */
export type MetricOptions =
  /** Examples whose class is among the k largest logits; ties go to the lower class. 1 <= k <= classes */
  | { readonly kind: "topK"; readonly k: number }
  /** Counts [classes, classes], row: the label, column: the prediction; of yes-or-no outputs [outputs, 2, 2]. */
  | { readonly kind: "confusion" }
  /** Absolute error, the mean over an example's outputs; for mse, mae and huber. */
  | { readonly kind: "mae" };

/** A measured value: float32, summed over the examples of the batch, each times its weight. */
export interface MetricOutput {
  /** `confusion`, `mae`, or `top5` for topK with k = 5; of several outputs `<output>.mae`, and `<output>.loss` */
  readonly name: string;
  readonly output: string;
  readonly shape: readonly number[];
}

/** Every metric that can be asked for. */
const METRIC_KINDS: readonly MetricOptions["kind"][] = ["topK", "confusion", "mae"];

/** Metrics that were appended, and those that do not go with the loss, by kind, with the reason. */
export interface AppendedMetrics {
  readonly made: readonly MetricOutput[];
  readonly refused: ReadonlyMap<string, string>;
}

/**
 * Appends metrics on what the loss reads; `of` goes before their names, where there are several losses.
 * Errors: `onnx/invalid-option` on a metric that is none, or has a setting out of its range.
 */
export function appendMetrics(
  builder: GraphBuilder,
  loss: LossOptions,
  metrics: readonly (MetricName | MetricOptions)[],
  inputs: LossInputs,
  of?: string,
): AppendedMetrics {
  const made = new Map<string, MetricOutput>();
  const refused = new Map<string, string>();
  for (const metric of metrics) {
    const options: MetricOptions = typeof metric === "string" ? { kind: metric } : metric;
    if (!METRIC_KINDS.includes(options.kind)) {
      throw invalid(`metric: "${options.kind as string}" is none; use one of ${METRIC_KINDS.join(", ")}`);
    }
    const own = options.kind === "topK" ? `top${options.k}` : options.kind;
    const name = of === undefined ? own : `${of}.${own}`;
    if (made.has(name)) continue;
    const output = `${RESERVED_PREFIX}metric.${name}`;
    const append = appenderOf(options, loss);
    if (append === undefined) {
      refused.set(options.kind, `does not go with the loss ${loss.kind}`);
      continue;
    }
    append(builder, inputs, output);
    made.set(name, { name, output, shape: builder.shape(output) });
  }
  return { made: [...made.values()], refused };
}

type Appender = (builder: GraphBuilder, inputs: LossInputs, output: string) => void;

function appenderOf(metric: MetricOptions, loss: LossOptions): Appender | undefined {
  const isSoftmax = loss.kind === "softmax-cross-entropy";
  const isSigmoid = loss.kind === "sigmoid-cross-entropy";
  switch (metric.kind) {
    case "topK":
      return isSoftmax ? (...context) => appendTopK(...context, metric.k) : undefined;
    case "confusion":
      return isSoftmax ? appendConfusion : isSigmoid ? appendBinaryConfusion : undefined;
    case "mae":
      return isSoftmax || isSigmoid ? undefined : appendAbsoluteError;
  }
}

function cast(builder: GraphBuilder, value: string): string {
  return builder.op("Cast", [value], { to: 1 });
}

/** Whether a column is the label's, [B, C]. */
function labelMask(builder: GraphBuilder, { logits, labels }: LossInputs): string {
  const [batch, classes] = builder.shape(logits) as [number, number];
  const columns = builder.int32s([1, classes], [...Array(classes).keys()]);
  return builder.op("Equal", [builder.reshape(labels, [batch, 1]), columns]);
}

/** A hit where fewer than k classes come before the label: larger ones, equal ones of lower number, NaN. */
function appendTopK(builder: GraphBuilder, inputs: LossInputs, output: string, k: number): void {
  const { logits, labels, sampleWeights } = inputs;
  const [batch, classes] = builder.shape(logits) as [number, number];
  if (!Number.isSafeInteger(k) || k < 1 || k > classes) {
    throw invalid(`metric topK: k must be an integer from 1 to ${classes}, got ${k}`);
  }
  const masked = builder.op("Where", [
    labelMask(builder, inputs),
    logits,
    builder.float(Number.NEGATIVE_INFINITY),
  ]);
  const ofLabel = builder.op("ReduceMax", [masked, builder.int64s([1])], { keepdims: 1 });
  const ahead = builder.op("Not", [builder.op("LessOrEqual", [logits, ofLabel])]);
  const columns = builder.int32s([1, classes], [...Array(classes).keys()]);
  const lower = builder.op("Less", [columns, builder.reshape(labels, [batch, 1])]);
  const tied = builder.op("And", [builder.op("Equal", [logits, ofLabel]), lower]);
  const before = builder.reduceSum(cast(builder, builder.op("Or", [ahead, tied])), [1], false);
  const hits = cast(builder, builder.op("Less", [before, builder.float(k)]));
  sumAll(builder, builder.op("Mul", [hits, sampleWeights]), output);
}

function appendConfusion(builder: GraphBuilder, inputs: LossInputs, output: string): void {
  const { logits, sampleWeights } = inputs;
  const [batch, classes] = builder.shape(logits) as [number, number];
  const columns = [...Array(classes).keys()];
  const axis = builder.int64s([1]);
  const maximum = builder.op("ReduceMax", [logits, axis], { keepdims: 1 });
  const places = builder.op("Where", [
    builder.op("Equal", [logits, maximum]),
    builder.floats([1, classes], columns),
    builder.float(classes),
  ]);
  const first = builder.op("ReduceMin", [places, axis], { keepdims: 1 });
  const predicted = cast(builder, builder.op("Equal", [first, builder.floats([1, classes], columns)]));
  const actual = cast(builder, labelMask(builder, inputs));
  const weighted = builder.op("Mul", [actual, builder.reshape(sampleWeights, [batch, 1])]);
  builder.op("Gemm", [weighted, predicted], { transA: 1 }, output);
}

function appendBinaryConfusion(builder: GraphBuilder, inputs: LossInputs, output: string): void {
  const [batch] = builder.shape(inputs.sampleWeights) as [number];
  const z = rowsOf(builder, inputs.logits);
  const size = builder.shape(z)[1]!;
  const yes = builder.op("Greater", [rowsOf(builder, inputs.labels), builder.float(0.5)]);
  const labels = [builder.op("Not", [yes]), yes];
  const zero = builder.float(0);
  const says = [builder.op("LessOrEqual", [z, zero]), builder.op("Greater", [z, zero])];
  const weights = builder.reshape(inputs.sampleWeights, [batch, 1]);
  const cells = labels.flatMap((label) =>
    says.map((said) => {
      const counted = builder.op("Mul", [cast(builder, builder.op("And", [label, said])), weights]);
      return builder.reshape(builder.reduceSum(counted, [0], false), [size, 1]);
    }),
  );
  const table = builder.op("Concat", cells, { axis: 1 });
  builder.op("Reshape", [table, builder.int64s([size, 2, 2])], {}, output);
}

function appendAbsoluteError(builder: GraphBuilder, inputs: LossInputs, output: string): void {
  const error = rowsOf(builder, builder.op("Sub", [inputs.logits, inputs.labels]));
  const each = rowMeans(builder, builder.op("Abs", [error]));
  sumAll(builder, builder.op("Mul", [each, inputs.sampleWeights]), output);
}
