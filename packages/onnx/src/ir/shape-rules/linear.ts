import { intAttribute, nodeLabel } from "../attributes.ts";
import { broadcastShapes, shapeText } from "../fact.ts";
import type { Dim, Node } from "../model.ts";
import type { ShapeRule } from "./rule.ts";
import { mismatch } from "./rule.ts";

export const gemm: ShapeRule = ({ node, inputs: [a, b] }) => {
  const elementType = a?.elementType ?? "undefined";
  if (a?.shape === undefined || b?.shape === undefined) return [{ elementType, shape: undefined }];
  if (a.shape.length !== 2 || b.shape.length !== 2) {
    throw mismatch(node, `needs matrices, got ${shapeText(a.shape)} and ${shapeText(b.shape)}`);
  }
  const [m, k] = intAttribute(node, "transA", 0) === 0 ? a.shape : a.shape.toReversed();
  const [k2, n] = intAttribute(node, "transB", 0) === 0 ? b.shape : b.shape.toReversed();
  checkInner(node, k!, k2!, a.shape, b.shape);
  return [{ elementType, shape: [m!, n!] }];
};

export const matMul: ShapeRule = ({ node, inputs: [a, b] }) => {
  const elementType = a?.elementType ?? "undefined";
  if (a?.shape === undefined || b?.shape === undefined) return [{ elementType, shape: undefined }];
  const left = a.shape.length === 1 ? [1, ...a.shape] : a.shape;
  const right = b.shape.length === 1 ? [...b.shape, 1] : b.shape;
  if (left.length === 0 || right.length === 0) throw mismatch(node, "a scalar operand");
  checkInner(node, left.at(-1)!, right.at(-2)!, a.shape, b.shape);
  const batch = broadcastShapes(nodeLabel(node), [left.slice(0, -2), right.slice(0, -2)]);
  const rows = a.shape.length === 1 ? [] : [left.at(-2)!];
  const columns = b.shape.length === 1 ? [] : [right.at(-1)!];
  return [{ elementType, shape: [...batch!, ...rows, ...columns] }];
};

function checkInner(node: Node, k: Dim, k2: Dim, a: readonly Dim[], b: readonly Dim[]): void {
  if (typeof k === "number" && typeof k2 === "number" && k !== k2) {
    throw mismatch(
      node,
      `inner dimensions differ, A is ${shapeText(a)} and B is ${shapeText(b)}; check the exporter's transB`,
    );
  }
}
