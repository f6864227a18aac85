import { intAttribute } from "../ir/attributes.ts";
import type { GraphBuilder } from "../ir/graph-builder.ts";
import { RESERVED_PREFIX } from "../ir/graph-builder.ts";
import type { GradientOptions, OptimizerRule } from "./optimizer.ts";
import { NORM_EPSILON } from "./optimizer.ts";

/** A value that an optimizer carries from step to step: all zeros before the first. */
export interface StateTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Graph input that takes the value. */
  readonly input: string;
  /** Graph output with the next value. */
  readonly output: string;
}

/** A parameter as the optimizer sees it. */
export interface OptimizedParameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly input: string;
  /** undefined: the loss does not depend on it. */
  readonly gradient: string | undefined;
  /** What the updated value is to be called. */
  readonly output: string;
}

/**
 * Plain gradient descent, w - step, under the given output name; `step` is the gradient of the loss
 * already multiplied by the learning rate (at the logits, where it costs next to nothing). Where the step
 * is a matrix product, the subtraction becomes part of it, which saves two passes over the weights.
 */
export function appendSgd(
  builder: GraphBuilder,
  weight: string,
  step: string | undefined,
  output: string,
): void {
  if (step === undefined) {
    // A parameter the loss does not depend on stays as it is.
    builder.op("Identity", [weight], {}, output);
    return;
  }
  const product = builder.maker(step);
  if (product?.opType === "Gemm" && product.inputs.length === 2 && !product.attributes.has("alpha")) {
    // The product itself is then read by nobody and falls to dead-code elimination.
    builder.op(
      "Gemm",
      [...product.inputs, weight],
      {
        transA: intAttribute(product, "transA", 0),
        transB: intAttribute(product, "transB", 0),
        alpha: { float: -1 },
      },
      output,
    );
    return;
  }
  builder.op("Sub", [weight, step], {}, output);
}

/** Gradients with the proximal term added and clipped, in the parameters' order. `bases` are their base weights. */
export function appendGradientOptions(
  builder: GraphBuilder,
  parameters: readonly OptimizedParameter[],
  bases: readonly string[],
  { clipGradientNorm, proximalTerm }: GradientOptions,
): OptimizedParameter[] {
  const pulled = parameters.map((parameter, i): OptimizedParameter => {
    if (proximalTerm === undefined) return parameter;
    const drift = builder.op("Sub", [parameter.input, bases[i]!]);
    const pull = builder.op("Mul", [drift, builder.float(proximalTerm)]);
    const { gradient } = parameter;
    return {
      ...parameter,
      gradient: gradient === undefined ? pull : builder.op("Add", [gradient, pull]),
    };
  });
  const known = pulled.flatMap(({ gradient }) => gradient ?? []);
  if (clipGradientNorm === undefined || known.length === 0) return pulled;
  const squares = known.map((gradient) => {
    const axes = [...builder.shape(gradient).keys()];
    return builder.reduceSum(builder.op("Mul", [gradient, gradient]), axes, false);
  });
  const norm = builder.op("Sqrt", [squares.reduce((sum, square) => builder.op("Add", [sum, square]))]);
  const ratio = builder.op("Div", [
    builder.float(clipGradientNorm),
    builder.op("Add", [norm, builder.float(NORM_EPSILON)]),
  ]);
  const factor = builder.op("Min", [ratio, builder.float(1)]);
  return pulled.map((parameter) => {
    const { gradient } = parameter;
    return gradient === undefined
      ? parameter
      : { ...parameter, gradient: builder.op("Mul", [gradient, factor]) };
  });
}

/** Gradients with what is fed added to them; a parameter that the loss does not depend on stays as it is. */
export function appendGradientOffsets(
  builder: GraphBuilder,
  parameters: readonly OptimizedParameter[],
  offsets: readonly { readonly input: string }[],
): readonly OptimizedParameter[] {
  if (offsets.length === 0) return parameters;
  return parameters.map((parameter, i) => {
    const { gradient } = parameter;
    return gradient === undefined
      ? parameter
      : { ...parameter, gradient: builder.op("Add", [gradient, offsets[i]!.input]) };
  });
}

/** Appends the update of every parameter; gives the state it takes. */
export function appendOptimizer(
  builder: GraphBuilder,
  rule: OptimizerRule,
  parameters: readonly OptimizedParameter[],
  learningRate: string,
): StateTensor[] {
  const state: StateTensor[] = [];
  const declare = (name: string, shape: readonly number[]): StateTensor => {
    const tensor = {
      name,
      shape,
      input: `${RESERVED_PREFIX}state.${name}`,
      output: `${RESERVED_PREFIX}updated.state.${name}`,
    };
    builder.declare(tensor.input, { elementType: "float32", shape });
    state.push(tensor);
    return tensor;
  };
  const corrections =
    rule.kind === "adam" || rule.kind === "adamw" ? appendCorrections(builder, rule, declare) : undefined;
  for (const parameter of parameters) {
    const { input: weight, gradient, output } = parameter;
    if (gradient === undefined) {
      // A parameter the loss does not depend on stays as it is.
      builder.op("Identity", [weight], {}, output);
      continue;
    }
    const decayed =
      rule.weightDecay === 0 || rule.kind === "adamw"
        ? gradient
        : builder.op("Add", [gradient, builder.op("Mul", [weight, builder.float(rule.weightDecay)])]);
    if (rule.kind === "sgd") {
      builder.op("Sub", [weight, builder.op("Mul", [decayed, learningRate])], {}, output);
    } else if (rule.kind === "momentum") {
      const buffer = declare(`momentum.${parameter.name}`, parameter.shape);
      const kept = builder.op("Mul", [buffer.input, builder.float(rule.momentum)]);
      const next = builder.op("Add", [kept, decayed], {}, buffer.output);
      const direction = rule.nesterov
        ? builder.op("Add", [decayed, builder.op("Mul", [next, builder.float(rule.momentum)])])
        : next;
      builder.op("Sub", [weight, builder.op("Mul", [direction, learningRate])], {}, output);
    } else {
      const moments = [
        declare(`first.${parameter.name}`, parameter.shape),
        declare(`second.${parameter.name}`, parameter.shape),
      ] as const;
      appendAdam(builder, rule, { ...parameter, gradient: decayed }, moments, corrections!, learningRate);
    }
  }
  return state;
}

type AdamRule = Extract<OptimizerRule, { readonly kind: "adam" | "adamw" }>;

/** An average over time: beta * previous + (1 - beta) * value. */
function appendAverage(
  builder: GraphBuilder,
  tensor: StateTensor,
  beta: number,
  value: string | undefined,
): string {
  const kept = builder.op("Mul", [tensor.input, builder.float(beta)]);
  const rest = builder.float(1 - beta);
  const added = value === undefined ? rest : builder.op("Mul", [value, rest]);
  return builder.op("Add", [kept, added], {}, tensor.output);
}

/**
 * 1 - beta^t of both moments, as averages of ones: the same number without a step counter, and without what
 * float32 would lose in the subtraction.
 */
function appendCorrections(
  builder: GraphBuilder,
  rule: AdamRule,
  declare: (name: string, shape: readonly number[]) => StateTensor,
): readonly [string, string] {
  const first = appendAverage(builder, declare("correction.first", []), rule.beta1, undefined);
  const second = appendAverage(builder, declare("correction.second", []), rule.beta2, undefined);
  return [first, builder.op("Sqrt", [second])];
}

function appendAdam(
  builder: GraphBuilder,
  rule: AdamRule,
  { input: weight, gradient, output }: OptimizedParameter & { readonly gradient: string },
  [first, second]: readonly [StateTensor, StateTensor],
  [firstCorrection, rootCorrection]: readonly [string, string],
  learningRate: string,
): void {
  const m = appendAverage(builder, first, rule.beta1, gradient);
  const v = appendAverage(builder, second, rule.beta2, builder.op("Mul", [gradient, gradient]));
  const spread = builder.op("Div", [builder.op("Sqrt", [v]), rootCorrection]);
  const divisor = builder.op("Add", [spread, builder.float(rule.epsilon)]);
  const rate = builder.op("Div", [learningRate, firstCorrection]);
  const step = builder.op("Mul", [builder.op("Div", [m, divisor]), rate]);
  let from = weight;
  if (rule.kind === "adamw" && rule.weightDecay > 0) {
    const shrink = builder.op("Mul", [learningRate, builder.float(rule.weightDecay)]);
    from = builder.op("Mul", [weight, builder.op("Sub", [builder.float(1), shrink])]);
  }
  builder.op("Sub", [from, step], {}, output);
}
