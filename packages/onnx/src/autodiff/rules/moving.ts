import { failure } from "@tributary/core";
import { intAttribute, nodeLabel, textAttribute } from "../../ir/attributes.ts";
import { normalAxis } from "../../ir/fact.ts";
import type { GraphBuilder } from "../../ir/graph-builder.ts";
import type { GradContext, GradRule } from "../rule.ts";
import { alongAxis } from "./axis-map.ts";
import { calculator } from "./calculator.ts";

/** The elements of an integer input. Errors: `onnx/unknown-shape`. */
export function knownIntegers(context: GradContext, index: number): readonly number[] {
  const values = context.builder.fact(context.x(index))?.values;
  if (values?.every((value) => typeof value === "number") !== true) {
    throw failure(
      "onnx/unknown-shape",
      `onnx: ${nodeLabel(context.node)}: input ${index} ("${context.x(index)}") must be a constant to be differentiated`,
    );
  }
  return values as readonly number[];
}

/** The parts side by side again; a part nothing depends on counts as zero. */
export const split: GradRule = (context) => {
  const { builder, node } = context;
  const rank = builder.shape(context.x(0)).length;
  const axis = normalAxis(nodeLabel(node), intAttribute(node, "axis", 0), rank);
  const parts = node.outputs.map(
    (name, i) => context.dy(i) ?? calculator(builder).zeros(builder.shape(name)),
  );
  return [parts.length === 1 ? parts[0] : builder.op("Concat", parts, { axis })];
};

/** Zeros around a value; negative counts crop. */
export function padded(
  builder: GraphBuilder,
  value: string,
  begin: readonly number[],
  end: readonly number[],
): string {
  if ([...begin, ...end].every((size) => size === 0)) return value;
  const shape = builder.shape(value);
  let result = value;
  const crops = shape.map((size, i) => [Math.max(0, -begin[i]!), size - Math.max(0, -end[i]!)] as const);
  if (crops.some(([from, to], i) => from !== 0 || to !== shape[i])) {
    const bounds = [crops.map(([from]) => from), crops.map(([, to]) => to)];
    result = builder.op("Slice", [result, ...bounds.map((list) => builder.int64s(list))]);
  }
  const pads = [...begin, ...end].map((size) => Math.max(0, size));
  if (pads.every((size) => size === 0)) return result;
  return builder.op("Pad", [result, builder.int64s(pads), builder.float(0)]);
}

/** The gradient back at the places the elements came from, zeros between and around. */
export const slice: GradRule = (context, dy) => {
  const { builder, node } = context;
  const shape = builder.shape(context.x(0));
  const starts = knownIntegers(context, 1);
  const axes = context.x(3) === "" ? starts.map((_, i) => i) : knownIntegers(context, 3);
  const steps = context.x(4) === "" ? starts.map(() => 1) : knownIntegers(context, 4);
  const begin = shape.map(() => 0);
  const end = shape.map(() => 0);
  let result = dy;
  for (const [k, given] of axes.entries()) {
    const axis = normalAxis(nodeLabel(node), given, shape.length);
    const size = shape[axis]!;
    const taken = builder.shape(dy)[axis]!;
    const step = steps[k]!;
    const from = Math.min(
      Math.max(starts[k]! < 0 ? starts[k]! + size : starts[k]!, 0),
      step > 0 ? size : size - 1,
    );
    const stride = Math.abs(step);
    if (step < 0) result = reversed(builder, result, axis);
    if (stride > 1) result = spaced(builder, result, axis, stride);
    begin[axis] = step < 0 ? from + (taken - 1) * step : from;
    end[axis] = size - begin[axis] - builder.shape(result)[axis]!;
  }
  return [padded(builder, result, begin, end)];
};

/** The other way round along an axis. */
export function reversed(builder: GraphBuilder, value: string, axis: number): string {
  const bounds = [[-1], [-(2 ** 31)], [axis], [-1]].map((list) => builder.int64s(list));
  return builder.op("Slice", [value, ...bounds]);
}

/** stride-1 zeros between neighbours: [n] -> [(n-1)·stride + 1]. */
export function spaced(builder: GraphBuilder, value: string, axis: number, stride: number): string {
  const shape = builder.shape(value);
  const [before, size, after] = [shape.slice(0, axis), shape[axis]!, shape.slice(axis + 1)];
  const apart = builder.reshape(value, [...before, size, 1, ...after]);
  const zeros = [...shape, 1].map(() => 0);
  const wide = padded(builder, apart, zeros, zeros.with(axis + 1, stride - 1));
  const joined = builder.reshape(wide, [...before, size * stride, ...after]);
  const none = shape.map(() => 0);
  return padded(builder, joined, none, none.with(axis, 1 - stride));
}

export const pad: GradRule = (context, dy) => {
  const { builder, node } = context;
  const shape = builder.shape(context.x(0));
  const given = knownIntegers(context, 1);
  const axes = context.x(3) === "" ? [...shape.keys()] : knownIntegers(context, 3);
  const begin = shape.map(() => 0);
  const end = shape.map(() => 0);
  for (const [k, axis] of axes.entries()) {
    const at = normalAxis(nodeLabel(node), axis, shape.length);
    begin[at] = given[k]!;
    end[at] = given[k + axes.length]!;
  }
  const mode = textAttribute(node, "mode", "constant");
  if (mode === "constant") {
    return [
      padded(
        builder,
        dy,
        begin.map((size) => -size),
        end.map((size) => -size),
      ),
    ];
  }
  let result = dy;
  for (const [axis, size] of shape.entries()) {
    if (begin[axis] === 0 && end[axis] === 0) continue;
    const total = begin[axis]! + size + end[axis]!;
    const sources = Array.from({ length: total }, (_, i) => paddedFrom(mode, i - begin[axis]!, size));
    result = alongAxis(builder, result, axis, size, (at) => [[sources[at]!, 1]]);
  }
  return [result];
};

/** Which element a place outside repeats. */
function paddedFrom(mode: string, at: number, size: number): number {
  if (mode === "edge") return Math.min(Math.max(at, 0), size - 1);
  if (mode === "wrap") return ((at % size) + size) % size;
  const period = Math.max(1, 2 * (size - 1));
  const within = ((at % period) + period) % period;
  return within < size ? within : period - within;
}

/** Repetitions are summed. */
export const tile: GradRule = (context, dy) => {
  const { builder } = context;
  const shape = builder.shape(context.x(0));
  const repeats = knownIntegers(context, 1);
  const apart = builder.reshape(
    dy,
    shape.flatMap((size, i) => [repeats[i]!, size]),
  );
  const axes = shape.map((_, i) => 2 * i);
  return [builder.reshape(builder.reduceSum(apart, axes, false), shape)];
};

/** Each element counts in all later sums: the sum from the other end. */
export const cumSum: GradRule = (context, dy) => {
  const { builder, node } = context;
  const attributes = {
    exclusive: intAttribute(node, "exclusive", 0),
    reverse: 1 - intAttribute(node, "reverse", 0),
  };
  return [builder.op("CumSum", [dy, context.x(1)], attributes)];
};

/** The same triangle of the gradient. */
export const trilu: GradRule = (context, dy) => {
  const { builder, node } = context;
  const more = context.x(1) === "" ? [] : [context.x(1)];
  return [builder.op("Trilu", [dy, ...more], { upper: intAttribute(node, "upper", 1) })];
};

export const depthToSpace: GradRule = (context, dy) => {
  const { builder, node } = context;
  const shape = builder.shape(context.x(0));
  const [n, c, h, w] = shape as [number, number, number, number];
  const b = intAttribute(node, "blocksize", 1);
  const columnsFirst = textAttribute(node, "mode", "DCR") === "CRD";
  const apart = builder.reshape(dy, [n, c / (b * b), h, b, w, b]);
  const perm = columnsFirst ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4];
  return [builder.reshape(builder.op("Transpose", [apart], { perm }), shape)];
};

export const spaceToDepth: GradRule = (context, dy) => [
  context.builder.op("DepthToSpace", [dy], { blocksize: intAttribute(context.node, "blocksize", 1) }),
];
