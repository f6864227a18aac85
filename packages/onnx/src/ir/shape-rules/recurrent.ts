import { intAttribute } from "../attributes.ts";
import type { Dim } from "../model.ts";
import type { ShapeRule } from "./rule.ts";
import { first, mismatch } from "./rule.ts";

/** RNN, GRU, LSTM: all hidden states, the last one and, for LSTM, the last cell. */
export const recurrent: ShapeRule = ({ node, inputs }) => {
  const elementType = inputs[0]?.elementType ?? "undefined";
  const x = inputs[0]?.shape;
  const hidden = inputs[2]?.shape?.[2] ?? intAttribute(node, "hidden_size", 0);
  const directions = inputs[1]?.shape?.[0] ?? "";
  if (x === undefined) return node.outputs.map(() => ({ elementType, shape: undefined }));
  if (x.length !== 3) throw mismatch(node, `the input needs 3 axes, got ${x.length}`);
  const batchFirst = intAttribute(node, "layout", 0) !== 0;
  const [steps, batch] = batchFirst ? [x[1]!, x[0]!] : [x[0]!, x[1]!];
  const all: Dim[] = batchFirst ? [batch, steps, directions, hidden] : [steps, directions, batch, hidden];
  const last: Dim[] = batchFirst ? [batch, directions, hidden] : [directions, batch, hidden];
  return node.outputs.map((_, i) => ({ elementType, shape: i === 0 ? all : last }));
};

/** Attention of opset 23: the result, the keys and values seen so far, the scores. */
export const attention: ShapeRule = (context) => {
  const { node, inputs } = context;
  const { elementType, shape: q } = first(context);
  const [k, v] = [inputs[1]?.shape, inputs[2]?.shape];
  if (q === undefined || k === undefined || v === undefined) {
    return node.outputs.map(() => ({ elementType, shape: undefined }));
  }
  const split = (shape: readonly Dim[], heads: number): Dim[] => {
    if (shape.length === 4) return [...shape];
    if (shape.length !== 3)
      throw mismatch(node, `queries, keys and values have 3 or 4 axes, got ${shape.length}`);
    const [batch, steps, size] = shape as [Dim, Dim, Dim];
    return [batch, heads, steps, typeof size === "number" && heads > 0 ? size / heads : ""];
  };
  const keyHeads = intAttribute(node, "kv_num_heads", 0);
  const [query, key, value] = [
    split(q, intAttribute(node, "q_num_heads", 0)),
    split(k, keyHeads),
    split(v, keyHeads),
  ];
  const grown = (now: Dim, past: readonly Dim[] | undefined, given: boolean): Dim => {
    if (!given) return now;
    const before = past?.[2];
    return typeof now === "number" && typeof before === "number" ? now + before : "";
  };
  const has = (index: number): boolean => (node.inputs[index] ?? "") !== "";
  const total = grown(key[2]!, inputs[4]?.shape, has(4));
  const result = [query[0]!, query[1]!, query[2]!, value[3]!];
  const flat: Dim[] = [
    query[0]!,
    query[2]!,
    typeof query[1] === "number" && typeof value[3] === "number" ? query[1] * value[3] : "",
  ];
  const shapes = [
    q.length === 3 ? flat : result,
    key.with(2, total),
    value.with(2, grown(value[2]!, inputs[5]?.shape, has(5))),
    [query[0]!, query[1]!, query[2]!, total],
  ];
  return node.outputs.map((_, i) => ({ elementType, shape: shapes[i] }));
};
