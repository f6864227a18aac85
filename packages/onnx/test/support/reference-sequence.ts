import { floatAttribute, intAttribute, textAttribute } from "../../src/ir/attributes.ts";
import type { Node } from "../../src/ir/model.ts";
import type { Array64, Operator } from "./array64.ts";
import { array64, broadcastTo, indexOf, permuted } from "./array64.ts";

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

type Scalar = (x: number) => number;

const SCALARS: Readonly<Record<string, (alpha: number | undefined, beta: number | undefined) => Scalar>> = {
  Affine:
    (a = 1, b = 0) =>
    (x) =>
      a * x + b,
  Elu:
    (a = 1) =>
    (x) =>
      x >= 0 ? x : a * Math.expm1(x),
  HardSigmoid:
    (a = 0.2, b = 0.5) =>
    (x) =>
      Math.min(1, Math.max(0, a * x + b)),
  LeakyRelu:
    (a = 0.01) =>
    (x) =>
      x >= 0 ? x : a * x,
  Relu: () => (x) => Math.max(0, x),
  ScaledTanh:
    (a = 1, b = 1) =>
    (x) =>
      a * Math.tanh(b * x),
  Sigmoid: () => sigmoid,
  Softplus: () => (x) => Math.log1p(Math.exp(x)),
  Softsign: () => (x) => x / (1 + Math.abs(x)),
  Tanh: () => Math.tanh,
  ThresholdedRelu:
    (a = 1) =>
    (x) =>
      x > a ? x : 0,
};
const TAKES_ALPHA = ["Affine", "Elu", "HardSigmoid", "LeakyRelu", "ScaledTanh", "ThresholdedRelu"];
const TAKES_BETA = ["Affine", "HardSigmoid", "ScaledTanh"];

/** Functions of all directions, each behind the clip. */
function functionsOf(node: Node, usual: readonly string[], directions: number): Scalar[] {
  const given = node.attributes.get("activations");
  const names =
    given?.type === "strings"
      ? given.value.map((bytes) => new TextDecoder().decode(bytes))
      : Array.from({ length: directions }, () => usual).flat();
  const numbers = (name: string): number[] => {
    const list = node.attributes.get(name);
    return list?.type === "floats" ? [...list.value] : [];
  };
  const [alphas, betas] = [numbers("activation_alpha"), numbers("activation_beta")];
  const clip = floatAttribute(node, "clip", Infinity);
  return names.map((name, k) => {
    const alpha = TAKES_ALPHA.includes(name) ? alphas.shift() : undefined;
    const beta = TAKES_BETA.includes(name) ? betas.shift() : undefined;
    const apply = SCALARS[name]!(alpha, beta);
    // onnxruntime leaves the cell state unclipped.
    return k % usual.length === 2 ? apply : (x) => apply(Math.max(-clip, Math.min(clip, x)));
  });
}

/** Gate g, row k of one direction's weights (times a vector) and of both biases. */
interface Gates {
  readonly functions: readonly Scalar[];
  input(gate: number, k: number): number;
  hidden(gate: number, k: number, state: readonly number[]): number;
  inputBias(gate: number, k: number): number;
  hiddenBias(gate: number, k: number): number;
  peephole(gate: number, k: number): number;
}

type Cell = (
  gates: Gates,
  h: readonly number[],
  c: readonly number[],
  node: Node,
) => { h: number[]; c?: number[] };

const rnn: Cell = (gates, h) => ({
  h: h.map((_, k) =>
    gates.functions[0]!(
      gates.input(0, k) + gates.hidden(0, k, h) + gates.inputBias(0, k) + gates.hiddenBias(0, k),
    ),
  ),
});

const lstm: Cell = (gates, h, c, node) => {
  const [f, g, outer] = gates.functions as [Scalar, Scalar, Scalar];
  const gate = (index: number, k: number): number =>
    gates.input(index, k) +
    gates.hidden(index, k, h) +
    gates.inputBias(index, k) +
    gates.hiddenBias(index, k);
  const coupled = intAttribute(node, "input_forget", 0) !== 0;
  const next = c.map((value, k) => {
    const open = f(gate(0, k) + gates.peephole(0, k) * value);
    const keep = coupled ? 1 - open : f(gate(2, k) + gates.peephole(2, k) * value);
    return keep * value + open * g(gate(3, k));
  });
  return { h: next.map((value, k) => f(gate(1, k) + gates.peephole(1, k) * value) * outer(value)), c: next };
};

const gru: Cell = (gates, h, _, node) => {
  const [f, g] = gates.functions as [Scalar, Scalar];
  const gate = (index: number, k: number): number =>
    gates.input(index, k) +
    gates.hidden(index, k, h) +
    gates.inputBias(index, k) +
    gates.hiddenBias(index, k);
  const z = h.map((__, k) => f(gate(0, k)));
  const r = h.map((__, k) => f(gate(1, k)));
  const reset = h.map((value, k) => value * r[k]!);
  const after = intAttribute(node, "linear_before_reset", 0) !== 0;
  return {
    h: h.map((value, k) => {
      const recurrent = after
        ? r[k]! * (gates.hidden(2, k, h) + gates.hiddenBias(2, k))
        : gates.hidden(2, k, reset) + gates.hiddenBias(2, k);
      const candidate = g(gates.input(2, k) + recurrent + gates.inputBias(2, k));
      return (1 - z[k]!) * candidate + z[k]! * value;
    }),
  };
};

/** Axes exchanged where the batch comes first. */
function turned(node: Node, x: Array64 | undefined, perm: readonly number[]): Array64 | undefined {
  return x === undefined || intAttribute(node, "layout", 0) === 0 ? x : permuted(x, perm);
}

/** X [T, B, I], W [D, G·H, I], R [D, G·H, H], B [D, 2·G·H], initial states [D, B, H]. */
function recurrent(gateCount: number, usual: readonly string[], cell: Cell): Operator {
  return (node, [given, w, r, b, , firstH, firstC, peepholes]) => {
    const x = turned(node, given, [1, 0, 2]);
    const [h0, c0] = [turned(node, firstH, [1, 0, 2]), turned(node, firstC, [1, 0, 2])];
    const [steps, batch, size] = x!.shape as [number, number, number];
    const [directions, rows] = w!.shape as [number, number];
    const hidden = rows / gateCount;
    const y = array64([steps, directions, batch, hidden]);
    const [lastH, lastC] = [array64([directions, batch, hidden]), array64([directions, batch, hidden])];
    for (let d = 0; d < directions; d += 1) {
      const functions = functionsOf(node, usual, directions).slice(d * usual.length, (d + 1) * usual.length);
      const backwards = d === 1 || textAttribute(node, "direction", "forward") === "reverse";
      for (let n = 0; n < batch; n += 1) {
        const state = (of: Array64 | undefined): number[] =>
          Array.from({ length: hidden }, (_, k) => of?.data[(d * batch + n) * hidden + k] ?? 0);
        let [h, c] = [state(h0), state(c0)];
        for (let s = 0; s < steps; s += 1) {
          const t = backwards ? steps - 1 - s : s;
          const bias = (index: number): number => b?.data[d * 2 * rows + index] ?? 0;
          const gates: Gates = {
            functions,
            peephole: (g, k) => peepholes?.data[d * 3 * hidden + g * hidden + k] ?? 0,
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
    const last = [lastH, lastC].map((state) => turned(node, state, [1, 0, 2])!);
    return [turned(node, y, [2, 0, 1, 3])!, ...last];
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
  GRU: recurrent(3, ["Sigmoid", "Tanh"], gru),
  LSTM: recurrent(4, ["Sigmoid", "Tanh", "Tanh"], lstm),
  RNN: recurrent(1, ["Tanh"], rnn),
};
