import { failure } from "@tributary/core";
import { floatAttribute, intAttribute, nodeLabel } from "../../ir/attributes.ts";
import { normalAxis } from "../../ir/fact.ts";
import type { GraphBuilder } from "../../ir/graph-builder.ts";
import type { GradContext, GradRule } from "../rule.ts";
import { unbroadcast } from "../rule.ts";
import { calculator } from "./calculator.ts";

const EPSILON = 1e-5;

interface Normalized {
  /** The value with mean 0 (if centred) and variance 1 over the axes. */
  readonly value: string;
  /** 1/standard deviation. */
  readonly inverse: string;
}

/** Brings mean (if centred) and variance over the axes to 0 and 1. */
export function normalize(
  builder: GraphBuilder,
  x: string,
  axes: readonly number[],
  epsilon: number,
  centred: boolean,
): Normalized {
  const calc = calculator(builder);
  const shifted = centred ? calc.sub(x, calc.mean(x, axes)) : x;
  const variance = calc.mean(calc.square(shifted), axes);
  const inverse = calc.div(1, calc.sqrt(calc.add(variance, epsilon)));
  return { value: calc.mul(shifted, inverse), inverse };
}

/** Gradient of what was normalized, given that of the result. */
function throughNormalize(
  builder: GraphBuilder,
  { value, inverse }: Normalized,
  gradient: string,
  axes: readonly number[],
  centred: boolean,
): string {
  const calc = calculator(builder);
  const along = calc.mul(value, calc.mean(calc.mul(gradient, value), axes));
  const level = centred ? calc.sub(gradient, calc.mean(gradient, axes)) : gradient;
  return calc.mul(inverse, calc.sub(level, along));
}

/** LayerNormalization (centred) and RMSNormalization. */
function overLastAxes(centred: boolean): GradRule {
  return (context, dy) => {
    const { builder, node } = context;
    const calc = calculator(builder);
    const [x, scale] = [context.x(0), context.x(1)];
    const shape = builder.shape(x);
    const from = normalAxis(nodeLabel(node), intAttribute(node, "axis", -1), shape.length);
    const axes = [...shape.keys()].slice(from);
    const normalized = normalize(builder, x, axes, floatAttribute(node, "epsilon", EPSILON), centred);
    const back = (value: string, index: number): string =>
      unbroadcast(builder, value, builder.shape(context.x(index)));
    return [
      context.needs(0)
        ? throughNormalize(builder, normalized, calc.mul(dy, scale), axes, centred)
        : undefined,
      context.needs(1) ? back(calc.mul(dy, normalized.value), 1) : undefined,
      context.needs(2) ? back(dy, 2) : undefined,
    ];
  };
}

export const layerNormalization: GradRule = overLastAxes(true);
export const rmsNormalization: GradRule = overLastAxes(false);

/** [C] as [1, C, 1, …], to meet a value of this rank. */
function perChannel(builder: GraphBuilder, value: string, rank: number): string {
  const [size] = builder.shape(value);
  return builder.reshape(value, [1, size!, ...Array.from({ length: rank - 2 }, () => 1)]);
}

/**
 * The inference form: the statistics are constants, which local training leaves as they are; scale and
 * bias learn.
 */
export const batchNormalization: GradRule = (context, dy) => {
  const { builder, node } = context;
  if (intAttribute(node, "training_mode", 0) !== 0) {
    throw failure(
      "onnx/unsupported-attribute",
      `onnx: ${nodeLabel(node)} is in training mode; export the model in evaluation mode`,
    );
  }
  const calc = calculator(builder);
  const rank = builder.shape(dy).length;
  const variance = calc.add(context.x(4), floatAttribute(node, "epsilon", EPSILON));
  const inverse = calc.div(1, calc.sqrt(variance));
  const axes = [...Array.from({ length: rank }).keys()].filter((axis) => axis !== 1);
  const dx = (): string => calc.mul(dy, perChannel(builder, calc.mul(context.x(1), inverse), rank));
  const dscale = (): string => {
    const centred = calc.sub(context.x(0), perChannel(builder, context.x(3), rank));
    return calc.mul(builder.reduceSum(calc.mul(dy, centred), axes, false), inverse);
  };
  return [
    context.needs(0) ? dx() : undefined,
    context.needs(1) ? dscale() : undefined,
    context.needs(2) ? builder.reduceSum(dy, axes, false) : undefined,
  ];
};

/** Instances are groups of one channel. */
export const instanceNormalization: GradRule = (context, dy) =>
  overGroups(context, dy, context.builder.shape(context.x(0))[1]!);

export const groupNormalization: GradRule = (context, dy) =>
  overGroups(context, dy, intAttribute(context.node, "num_groups", 1));

function overGroups(context: GradContext, dy: string, groups: number): readonly (string | undefined)[] {
  const { builder, node } = context;
  const calc = calculator(builder);
  const shape = builder.shape(context.x(0));
  const [n, c, ...inner] = shape as [number, number, ...number[]];
  const grouped = [n, groups, c / groups, ...inner];
  const axes = [...grouped.keys()].slice(2);
  const x = builder.reshape(context.x(0), grouped);
  const normalized = normalize(builder, x, axes, floatAttribute(node, "epsilon", EPSILON), true);
  // One factor per channel, but one per group in operator set 18.
  const [factors] = builder.shape(context.x(1)) as [number];
  const ones = inner.map(() => 1);
  const layout = factors === c ? [1, groups, c / groups, ...ones] : [1, groups, 1, ...ones];
  const gradient = builder.reshape(dy, grouped);
  const back = (value: string): string => builder.reshape(unbroadcast(builder, value, layout), [factors]);
  const dx = (): string => {
    const scaled = calc.mul(gradient, builder.reshape(context.x(1), layout));
    return builder.reshape(throughNormalize(builder, normalized, scaled, axes, true), shape);
  };
  return [
    context.needs(0) ? dx() : undefined,
    context.needs(1) ? back(calc.mul(gradient, normalized.value)) : undefined,
    context.needs(2) ? back(gradient) : undefined,
  ];
}
