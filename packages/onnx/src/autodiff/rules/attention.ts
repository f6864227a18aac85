import { failure } from "@tributary/core";
import { floatAttribute, intAttribute, nodeLabel } from "../../ir/attributes.ts";
import type { GraphBuilder } from "../../ir/graph-builder.ts";
import type { Node } from "../../ir/model.ts";
import { calculator } from "./calculator.ts";

/** What a place gets that must not be looked at: below every score, but finite. */
const LOWEST = -3.4028234663852886e38;

/** softmax(softcap(Q·Kᵀ·scale) + mask)·V, written out. Operands [B, heads, length, size] or [B, length, heads·size]. */
export function attentionParts(builder: GraphBuilder, node: Node): readonly string[] {
  const calc = calculator(builder);
  const [q, k, v, mask = "", ...past] = node.inputs as [string, string, string, ...string[]];
  if (past.some((name) => name !== "") || node.outputs.slice(1).some((name) => name !== "")) {
    throw failure(
      "onnx/no-gradient",
      `onnx: ${nodeLabel(node)}: past keys and side outputs cannot be trained; export without a cache`,
    );
  }
  const flat = builder.shape(q).length === 3;
  const heads = flat ? intAttribute(node, "q_num_heads", 1) : builder.shape(q)[1]!;
  const groups = flat ? intAttribute(node, "kv_num_heads", heads) : builder.shape(k)[1]!;
  const query = byHead(builder, q, heads);
  const key = repeated(builder, byHead(builder, k, groups), heads / groups);
  const value = repeated(builder, byHead(builder, v, groups), heads / groups);
  const [batch, , length, size] = builder.shape(query) as [number, number, number, number];
  const scale = floatAttribute(node, "scale", 1 / Math.sqrt(size));
  const turned = builder.op("Transpose", [key], { perm: [0, 1, 3, 2] });
  let scores = builder.op("MatMul", [calc.mul(query, scale), turned]);
  // Only what may be looked at is capped: a cap after the mask would let hidden places back in.
  const cap = floatAttribute(node, "softcap", 0);
  if (cap !== 0) scores = calc.mul(cap, calc.tanh(calc.div(scores, cap)));
  const others = builder.shape(key)[2]!;
  if (intAttribute(node, "is_causal", 0) !== 0) {
    const hidden = Array.from({ length: length * others }, (_, i) =>
      i % others > Math.floor(i / others) ? LOWEST : 0,
    );
    scores = calc.add(scores, builder.floats([length, others], hidden));
  }
  if (mask !== "") {
    const isBoolean = builder.fact(mask)?.elementType === "bool";
    scores = isBoolean ? calc.where(mask, scores, LOWEST) : calc.add(scores, mask);
  }
  const weights = builder.op("Softmax", [scores], { axis: -1 });
  const result = builder.op("MatMul", [weights, value]);
  if (!flat) return [result];
  const apart = builder.op("Transpose", [result], { perm: [0, 2, 1, 3] });
  return [builder.reshape(apart, [batch, length, heads * builder.shape(value)[3]!])];
}

/** [B, length, heads·size] as [B, heads, length, size]. */
function byHead(builder: GraphBuilder, value: string, heads: number): string {
  const shape = builder.shape(value);
  if (shape.length === 4) return value;
  const [batch, length, total] = shape as [number, number, number];
  const apart = builder.reshape(value, [batch, length, heads, total / heads]);
  return builder.op("Transpose", [apart], { perm: [0, 2, 1, 3] });
}

/** Each head of keys or values serves several heads of queries. */
function repeated(builder: GraphBuilder, value: string, times: number): string {
  if (times === 1) return value;
  const [batch, heads, length, size] = builder.shape(value) as [number, number, number, number];
  const apart = builder.reshape(value, [batch, heads, 1, length, size]);
  const wide = builder.op("Expand", [apart, builder.int64s([batch, heads, times, length, size])]);
  return builder.reshape(wide, [batch, heads * times, length, size]);
}
