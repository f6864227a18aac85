import { floatAttribute, intAttribute, textAttribute } from "../../src/ir/attributes.ts";
import type { Node } from "../../src/ir/model.ts";
import type { Array64, Operator } from "./array64.ts";
import { array64, broadcastTo, indexOf } from "./array64.ts";

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Gate g, row k of one direction's weights (times a vector) and of both biases. */
interface Gates {
  input(gate: number, k: number): number;
  hidden(gate: number, k: number, state: readonly number[]): number;
  inputBias(gate: number, k: number): number;
  hiddenBias(gate: number, k: number): number;
}

type Cell = (
  gates: Gates,
  h: readonly number[],
  c: readonly number[],
  node: Node,
) => { h: number[]; c?: number[] };

const rnn: Cell = (gates, h) => ({
  h: h.map((_, k) =>
    Math.tanh(gates.input(0, k) + gates.hidden(0, k, h) + gates.inputBias(0, k) + gates.hiddenBias(0, k)),
  ),
});

const lstm: Cell = (gates, h, c) => {
  const gate = (g: number, k: number): number =>
    gates.input(g, k) + gates.hidden(g, k, h) + gates.inputBias(g, k) + gates.hiddenBias(g, k);
  const next = c.map((value, k) => sigmoid(gate(2, k)) * value + sigmoid(gate(0, k)) * Math.tanh(gate(3, k)));
  return { h: next.map((value, k) => sigmoid(gate(1, k)) * Math.tanh(value)), c: next };
};

const gru: Cell = (gates, h, _, node) => {
  const gate = (g: number, k: number): number =>
    gates.input(g, k) + gates.hidden(g, k, h) + gates.inputBias(g, k) + gates.hiddenBias(g, k);
  const z = h.map((__, k) => sigmoid(gate(0, k)));
  const r = h.map((__, k) => sigmoid(gate(1, k)));
  const reset = h.map((value, k) => value * r[k]!);
  const after = intAttribute(node, "linear_before_reset", 0) !== 0;
  return {
    h: h.map((value, k) => {
      const recurrent = after
        ? r[k]! * (gates.hidden(2, k, h) + gates.hiddenBias(2, k))
        : gates.hidden(2, k, reset) + gates.hiddenBias(2, k);
      const candidate = Math.tanh(gates.input(2, k) + recurrent + gates.inputBias(2, k));
      return (1 - z[k]!) * candidate + z[k]! * value;
    }),
  };
};

/** X [T, B, I], W [D, G·H, I], R [D, G·H, H], B [D, 2·G·H], initial states [D, B, H]. */
function recurrent(gateCount: number, cell: Cell): Operator {
  return (node, [x, w, r, b, , h0, c0]) => {
    const [steps, batch, size] = x!.shape as [number, number, number];
    const [directions, rows] = w!.shape as [number, number];
    const hidden = rows / gateCount;
    const y = array64([steps, directions, batch, hidden]);
    const [lastH, lastC] = [array64([directions, batch, hidden]), array64([directions, batch, hidden])];
    for (let d = 0; d < directions; d += 1) {
      const backwards = d === 1 || textAttribute(node, "direction", "forward") === "reverse";
      for (let n = 0; n < batch; n += 1) {
        const state = (of: Array64 | undefined): number[] =>
          Array.from({ length: hidden }, (_, k) => of?.data[(d * batch + n) * hidden + k] ?? 0);
        let [h, c] = [state(h0), state(c0)];
        for (let s = 0; s < steps; s += 1) {
          const t = backwards ? steps - 1 - s : s;
          const bias = (index: number): number => b?.data[d * 2 * rows + index] ?? 0;
          const gates: Gates = {
            input: (g, k) => {
              let sum = 0;
              for (let i = 0; i < size; i += 1) {
                sum +=
                  x!.data[(t * batch + n) * size + i]! * w!.data[(d * rows + g * hidden + k) * size + i]!;
              }
              return sum;
            },
            hidden: (g, k, from) =>
              from.reduce(
                (sum, value, i) => sum + value * r!.data[(d * rows + g * hidden + k) * hidden + i]!,
                0,
              ),
            inputBias: (g, k) => bias(g * hidden + k),
            hiddenBias: (g, k) => bias(rows + g * hidden + k),
          };
          const next = cell(gates, h, c, node);
          h = next.h;
          c = next.c ?? c;
          y.data.set(h, indexOf(y.shape, [t, d, n, 0]));
        }
        lastH.data.set(h, (d * batch + n) * hidden);
        lastC.data.set(c, (d * batch + n) * hidden);
      }
    }
    return [y, lastH, lastC];
  };
}

/** [B, heads, L, E] or [B, L, heads·E]: where the element of a head lies. */
function attention(node: Node, [q, k, v, mask]: readonly Array64[]): Array64 {
  const flat = q!.shape.length === 3;
  const heads = flat ? intAttribute(node, "q_num_heads", 1) : q!.shape[1]!;
  const groups = flat ? intAttribute(node, "kv_num_heads", 1) : k!.shape[1]!;
  const sizes = (x: Array64, count: number): [number, number] =>
    flat ? [x.shape[1]!, x.shape[2]! / count] : [x.shape[2]!, x.shape[3]!];
  const at = (x: Array64, count: number, [n, h, i, e]: readonly [number, number, number, number]): number =>
    indexOf(x.shape, flat ? [n, i, h * sizes(x, count)[1] + e] : [n, h, i, e]);
  const [length, size] = sizes(q!, heads);
  const [others] = sizes(k!, groups);
  const [, width] = sizes(v!, groups);
  const batch = q!.shape[0]!;
  const result = array64(flat ? [batch, length, heads * width] : [batch, heads, length, width]);
  const scale = floatAttribute(node, "scale", 1 / Math.sqrt(size));
  const cap = floatAttribute(node, "softcap", 0);
  const bias = mask === undefined ? undefined : broadcastTo(mask, [batch, heads, length, others]);
  for (let n = 0; n < batch; n += 1)
    for (let h = 0; h < heads; h += 1)
      for (let i = 0; i < length; i += 1) {
        const g = Math.floor(h / (heads / groups));
        const scores = Array.from({ length: others }, (_, j) => {
          if (intAttribute(node, "is_causal", 0) !== 0 && j > i) return -Infinity;
          let sum = 0;
          for (let e = 0; e < size; e += 1)
            sum += q!.data[at(q!, heads, [n, h, i, e])]! * k!.data[at(k!, groups, [n, g, j, e])]!;
          const capped = cap === 0 ? sum * scale : cap * Math.tanh((sum * scale) / cap);
          return capped + (bias?.data[indexOf(bias.shape, [n, h, i, j])] ?? 0);
        });
        const total = scores.reduce((sum, score) => sum + Math.exp(score), 0);
        for (let e = 0; e < width; e += 1) {
          result.data[at(result, heads, [n, h, i, e])] = scores.reduce(
            (sum, score, j) => sum + (Math.exp(score) / total) * v!.data[at(v!, groups, [n, g, j, e])]!,
            0,
          );
        }
      }
  return result;
}

export const SEQUENCE_REFERENCE: Readonly<Record<string, Operator>> = {
  Attention: attention,
  GRU: recurrent(3, gru),
  LSTM: recurrent(4, lstm),
  RNN: recurrent(1, rnn),
};
