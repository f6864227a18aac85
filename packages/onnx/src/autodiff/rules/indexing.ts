import { failure } from "@tributary/core";
import { intAttribute, nodeLabel, textAttribute } from "../../ir/attributes.ts";
import { normalAxis } from "../../ir/fact.ts";
import type { GraphBuilder } from "../../ir/graph-builder.ts";
import type { Node } from "../../ir/model.ts";
import type { GradRule } from "../rule.ts";
import { calculator } from "./calculator.ts";

function axisOf(node: Node, rank: number): number {
  return normalAxis(nodeLabel(node), intAttribute(node, "axis", 0), rank);
}

function count(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** ScatterND takes int64 only. */
function asInt64(builder: GraphBuilder, indices: string): string {
  return builder.fact(indices)?.elementType === "int64" ? indices : builder.op("Cast", [indices], { to: 7 });
}

/** Adds rows of the gradient to zeros at their indices; an index that comes twice gets both. */
export const gather: GradRule = (context, dy) => {
  if (!context.needs(0)) return [undefined];
  const { builder, node } = context;
  const shape = builder.shape(context.x(0));
  const indices = context.x(1);
  const picked = builder.shape(indices);
  const axis = axisOf(node, shape.length);
  const [before, after] = [count(shape.slice(0, axis)), count(shape.slice(axis + 1))];
  const size = shape[axis]!;
  const rows = count(picked);
  let updates = builder.reshape(dy, [before, rows, after]);
  // The axis in front: [rows, before·after]
  updates = before === 1 ? updates : builder.op("Transpose", [updates], { perm: [1, 0, 2] });
  updates = builder.reshape(updates, [rows, before * after]);
  const list = builder.reshape(asInt64(builder, indices), [rows, 1]);
  const zeros = calculator(builder).zeros([size, before * after]);
  const summed = builder.op("ScatterND", [zeros, list, updates], { reduction: "add" });
  const back = builder.reshape(summed, [size, before, after]);
  const moved = before === 1 ? back : builder.op("Transpose", [back], { perm: [1, 0, 2] });
  return [builder.reshape(moved, shape)];
};

export const gatherElements: GradRule = (context, dy) => {
  if (!context.needs(0)) return [undefined];
  const { builder, node } = context;
  const shape = builder.shape(context.x(0));
  const zeros = calculator(builder).zeros(shape);
  const attributes = { axis: axisOf(node, shape.length), reduction: "add" };
  return [builder.op("ScatterElements", [zeros, context.x(1), dy], attributes)];
};

export const gatherND: GradRule = (context, dy) => {
  if (!context.needs(0)) return [undefined];
  const { builder, node } = context;
  const shape = builder.shape(context.x(0));
  const batch = intAttribute(node, "batch_dims", 0);
  const indices = batch === 0 ? context.x(1) : wholeIndices(builder, context.x(1), batch);
  const zeros = calculator(builder).zeros(shape);
  return [builder.op("ScatterND", [zeros, indices, dy], { reduction: "add" })];
};

/** Largest list of places that is put into a graph. */
const MAX_PLACES = 2 ** 20;

/** Indices behind `batch` common axes, with the place along those axes in front. */
function wholeIndices(builder: GraphBuilder, indices: string, batch: number): string {
  const shape = builder.shape(indices).slice(0, -1);
  const rows = count(shape);
  if (rows * batch > MAX_PLACES) {
    throw failure("onnx/no-gradient", `onnx: GatherND of ${rows} places with batch_dims is too large`);
  }
  const places = Array.from({ length: rows }, (_, row) => {
    let rest = row;
    const at = shape
      .toReversed()
      .map((size) => {
        const index = rest % size;
        rest = Math.floor(rest / size);
        return index;
      })
      .toReversed();
    return at.slice(0, batch);
  }).flat();
  const front = builder.reshape(builder.int64s(places), [...shape, batch]);
  return builder.op("Concat", [front, indices], { axis: -1 });
}

/** Whether updates replace (false) or are added (true). */
function adds(node: Node): boolean {
  const reduction = textAttribute(node, "reduction", "none");
  if (reduction !== "none" && reduction !== "add") {
    throw failure("onnx/no-gradient", `onnx: ${nodeLabel(node)}: reduction "${reduction}" has no gradient`);
  }
  return reduction === "add";
}

/** ScatterND: replaced elements have no gradient of their own. Indices that come twice are undefined there. */
export const scatterND: GradRule = (context, dy) => {
  const { builder, node } = context;
  const calc = calculator(builder);
  const indices = context.x(1);
  const data = (): string =>
    adds(node) ? dy : builder.op("ScatterND", [dy, indices, calc.zeros(builder.shape(context.x(2)))]);
  return [
    context.needs(0) ? data() : undefined,
    undefined,
    context.needs(2) ? builder.op("GatherND", [dy, indices]) : undefined,
  ];
};

export const scatterElements: GradRule = (context, dy) => {
  const { builder, node } = context;
  const calc = calculator(builder);
  const indices = context.x(1);
  const axis = axisOf(node, builder.shape(dy).length);
  const data = (): string =>
    adds(node)
      ? dy
      : builder.op("ScatterElements", [dy, indices, calc.zeros(builder.shape(context.x(2)))], { axis });
  return [
    context.needs(0) ? data() : undefined,
    undefined,
    context.needs(2) ? builder.op("GatherElements", [dy, indices], { axis }) : undefined,
  ];
};
