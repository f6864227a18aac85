import { failure } from "@tributary/core";
import type { ElementType } from "./element-type.ts";
import type { Dim } from "./model.ts";

/** What is known of a value before anything runs. */
export interface Fact {
  readonly elementType: ElementType;
  /** undefined: not even the rank is known. */
  readonly shape: readonly Dim[] | undefined;
  /** The elements themselves, for small integer tensors that carry shapes. */
  readonly values?: readonly Dim[];
  /** Elements of small float constants: factors of a resize. */
  readonly floats?: readonly number[];
}

export type ShapeTable = ReadonlyMap<string, Fact>;

export const UNKNOWN: Fact = Object.freeze({ elementType: "undefined", shape: undefined });

/** Numpy broadcasting over any number of shapes. Errors: `onnx/shape-mismatch`. */
export function broadcastShapes(
  where: string,
  shapes: readonly (readonly Dim[] | undefined)[],
): readonly Dim[] | undefined {
  let result: readonly Dim[] = [];
  for (const shape of shapes) {
    if (shape === undefined) return undefined;
    const rank = Math.max(result.length, shape.length);
    const before = result;
    result = Array.from({ length: rank }, (_, i) =>
      broadcastDim(where, before[i - rank + before.length] ?? 1, shape[i - rank + shape.length] ?? 1),
    );
  }
  return result;
}

function broadcastDim(where: string, a: Dim, b: Dim): Dim {
  if (a === b || b === 1) return a;
  if (a === 1) return b;
  if (typeof a === "number" && typeof b === "number") {
    throw failure("onnx/shape-mismatch", `onnx: ${where}: ${a} and ${b} do not broadcast`);
  }
  // A number above one must be right; two different symbols say nothing.
  return typeof a === "number" ? a : typeof b === "number" ? b : "";
}

/** The product of dims: a number, one symbol where all else is 1, or "" (unknown). */
export function productOf(dims: readonly Dim[]): Dim {
  const symbols = dims.filter((dim) => typeof dim === "string");
  const product = dims.reduce<number>((p, dim) => (typeof dim === "number" ? p * dim : p), 1);
  if (symbols.length === 0) return product;
  return symbols.length === 1 && product === 1 ? symbols[0]! : "";
}

/** total / part, where symbols cancel: (batch*256) / 256 = batch. */
export function quotientOf(total: readonly Dim[], part: readonly Dim[]): Dim {
  const rest = [...total];
  let divisor = 1;
  for (const dim of part) {
    if (typeof dim === "number") {
      divisor *= dim;
      continue;
    }
    const at = rest.indexOf(dim);
    if (dim === "" || at < 0) return "";
    rest.splice(at, 1);
  }
  const symbols = rest.filter((dim) => typeof dim === "string");
  const number = rest.reduce<number>((p, dim) => (typeof dim === "number" ? p * dim : p), 1);
  const ratio = number / divisor;
  if (symbols.length === 0) return ratio;
  return symbols.length === 1 && ratio === 1 ? symbols[0]! : "";
}

/** A negative axis counts from the end. Errors: `onnx/shape-mismatch`. */
export function normalAxis(where: string, axis: number, rank: number): number {
  const normal = axis < 0 ? axis + rank : axis;
  if (normal < 0 || normal >= rank) {
    throw failure("onnx/shape-mismatch", `onnx: ${where}: axis ${axis} of ${rank} dimensions`);
  }
  return normal;
}

/** The shape if every dim is a number. */
export function staticShape(fact: Fact | undefined): readonly number[] | undefined {
  const shape = fact?.shape;
  return shape?.every((dim) => typeof dim === "number") ? (shape as readonly number[]) : undefined;
}

/** `[batch,1,28,28]`, for messages. */
export function shapeText(shape: readonly Dim[] | undefined): string {
  return shape === undefined ? "[…]" : `[${shape.map((dim) => (dim === "" ? "?" : dim)).join(",")}]`;
}
