import { failure } from "@tributary/core";
import { intsAttribute, nodeLabel } from "../attributes.ts";
import type { Fact } from "../fact.ts";
import { UNKNOWN } from "../fact.ts";
import type { Node } from "../model.ts";

/** One node and what is known of its inputs (UNKNOWN where left out). */
export interface ShapeContext {
  readonly node: Node;
  readonly inputs: readonly Fact[];
}

/** Facts of a node's outputs. Errors: `onnx/shape-mismatch`. */
export type ShapeRule = (context: ShapeContext) => readonly Fact[];

/** Most elements of an integer tensor that are followed; shapes are short. */
export const MAX_VALUES = 64;

export function first({ inputs }: ShapeContext): Fact {
  return inputs[0] ?? UNKNOWN;
}

export function mismatch(node: Node, text: string): Error {
  return failure("onnx/shape-mismatch", `onnx: ${nodeLabel(node)}: ${text}`);
}

/** Axes from the attribute or, since opset 13 or 18, from an input whose elements are known. */
export function axesOf({ node, inputs }: ShapeContext, index: number): readonly number[] | undefined {
  const fromAttribute = intsAttribute(node, "axes");
  if (fromAttribute !== undefined) return fromAttribute;
  const values = inputs[index]?.values;
  return values?.every((value) => typeof value === "number") ? (values as number[]) : undefined;
}
