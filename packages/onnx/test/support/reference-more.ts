import { floatAttribute, intAttribute, intsAttribute, textAttribute } from "../../src/ir/attributes.ts";
import type { Array64, Operator } from "./array64.ts";
import {
  array64,
  axesOf,
  broadcastShape,
  broadcastTo,
  coordinates,
  indexOf,
  keeps,
  pointwise,
  pointwise2,
  pool,
  reduce,
} from "./array64.ts";
import { INDEX_REFERENCE } from "./reference-index.ts";
import { SEQUENCE_REFERENCE } from "./reference-sequence.ts";
import { WINDOW_REFERENCE } from "./reference-window.ts";

/** erf by its Maclaurin series, exact to float64 for the |x| < 6 that tests draw. */
function erf(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 200; n += 1) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const softplus = (x: number): number => Math.log1p(Math.exp(x));

/** Reduces values themselves, not just sums. */
function reduceValues(combine: (values: readonly number[]) => number): Operator {
  return (node, [x, axes]) => {
    const listed = axesOf(node, x!, axes);
    const kept = x!.shape.map((dim, i) => (listed.includes(i) ? 1 : dim));
    const groups = new Map<number, number[]>();
    let i = 0;
    for (const at of coordinates(x!.shape)) {
      const key = indexOf(
        kept,
        at.map((value, axis) => (listed.includes(axis) ? 0 : value)),
      );
      groups.set(key, [...(groups.get(key) ?? []), x!.data[i]!]);
      i += 1;
    }
    const data = Float64Array.from({ length: groups.size }, (_, key) => combine(groups.get(key)!));
    return { shape: keeps(node) ? kept : x!.shape.filter((_, axis) => !listed.includes(axis)), data };
  };
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

function normalized(x: Array64, axes: readonly number[], epsilon: number, centred: boolean): Array64 {
  const average = (of: Array64): Array64 =>
    broadcastTo(
      reduce(of, axes, true, (sum, count) => sum / count),
      x.shape,
    );
  const mean = centred ? average(x).data : new Float64Array(x.data.length);
  const shifted = x.data.map((value, i) => value - mean[i]!);
  const variance = average({ shape: x.shape, data: shifted.map((value) => value * value) }).data;
  return { shape: x.shape, data: shifted.map((value, i) => value / Math.sqrt(variance[i]! + epsilon)) };
}

function scaled(x: Array64, scale: Array64, bias: Array64 | undefined): Array64 {
  const factor = broadcastTo(scale, x.shape).data;
  const shift = bias === undefined ? undefined : broadcastTo(bias, x.shape).data;
  return { shape: x.shape, data: x.data.map((value, i) => value * factor[i]! + (shift?.[i] ?? 0)) };
}

/** [C] so that it broadcasts against [N, C, …]. */
function channels(value: Array64, rank: number): Array64 {
  return { shape: [value.shape[0]!, ...Array.from({ length: rank - 2 }, () => 1)], data: value.data };
}

function layerNorm(centred: boolean): Operator {
  return (node, [x, scale, bias]) => {
    const given = intAttribute(node, "axis", -1);
    const from = given < 0 ? given + x!.shape.length : given;
    const axes = [...x!.shape.keys()].slice(from);
    return scaled(normalized(x!, axes, floatAttribute(node, "epsilon", 1e-5), centred), scale!, bias);
  };
}

function groupNorm(groupsOf: (node: Parameters<Operator>[0], x: Array64) => number): Operator {
  return (node, [x, scale, bias]) => {
    const [n, c, ...inner] = x!.shape as [number, number, ...number[]];
    const groups = groupsOf(node, x!);
    const grouped = { shape: [n, groups, c / groups, ...inner], data: x!.data };
    const axes = [...grouped.shape.keys()].slice(2);
    const result = normalized(grouped, axes, floatAttribute(node, "epsilon", 1e-5), true);
    const spread = (value: Array64): Array64 => {
      const each = c / value.data.length;
      const data = Float64Array.from({ length: c }, (_, i) => value.data[Math.floor(i / each)]!);
      return channels({ shape: [c], data }, x!.shape.length);
    };
    return scaled({ shape: x!.shape, data: result.data }, spread(scale!), spread(bias!));
  };
}

export const MORE_REFERENCE: Readonly<Record<string, Operator>> = {
  ...INDEX_REFERENCE,
  ...WINDOW_REFERENCE,
  ...SEQUENCE_REFERENCE,
  Abs: pointwise(() => Math.abs),
  Reciprocal: pointwise(() => (x) => 1 / x),
  Sin: pointwise(() => Math.sin),
  Cos: pointwise(() => Math.cos),
  Erf: pointwise(() => erf),
  Elu: pointwise((node) => (x) => (x > 0 ? x : floatAttribute(node, "alpha", 1) * Math.expm1(x))),
  Selu: pointwise(() => (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x))),
  Celu: pointwise((node) => {
    const alpha = floatAttribute(node, "alpha", 1);
    return (x) => (x > 0 ? x : alpha * Math.expm1(x / alpha));
  }),
  Softplus: pointwise(() => softplus),
  Softsign: pointwise(() => (x) => x / (1 + Math.abs(x))),
  HardSigmoid: pointwise((node) => {
    const [alpha, beta] = [floatAttribute(node, "alpha", 0.2), floatAttribute(node, "beta", 0.5)];
    return (x) => Math.min(Math.max(alpha * x + beta, 0), 1);
  }),
  HardSwish: pointwise(() => (x) => x * Math.min(Math.max(x / 6 + 0.5, 0), 1)),
  ThresholdedRelu: pointwise((node) => (x) => (x > floatAttribute(node, "alpha", 1) ? x : 0)),
  Mish: pointwise(() => (x) => x * Math.tanh(softplus(x))),
  Gelu: pointwise((node) =>
    textAttribute(node, "approximate", "none") === "tanh"
      ? (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))
      : (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  ),
  PRelu: pointwise2((x, slope) => (x < 0 ? slope * x : x)),
  Pow: pointwise2((a, b) => a ** b),
  Min: (node, inputs) => inputs.reduce((a, b) => pointwise2(Math.min)(node, [a, b])),
  Max: (node, inputs) => inputs.reduce((a, b) => pointwise2(Math.max)(node, [a, b])),
  Clip: (_, [x, low, high]) => ({
    shape: x!.shape,
    data: x!.data.map((v) => Math.min(Math.max(v, low?.data[0] ?? -Infinity), high?.data[0] ?? Infinity)),
  }),
  Where: (_, [condition, a, b]) => {
    const shape = [a!, b!].reduce((sum, { shape: dims }) => broadcastShape(sum, dims), condition!.shape);
    const [test, x, y] = [condition!, a!, b!].map((value) => broadcastTo(value, shape).data);
    return { shape, data: test!.map((value, i) => (value === 0 ? y![i]! : x![i]!)) };
  },
  Cast: pointwise(() => (x) => x),
  LayerNormalization: layerNorm(true),
  RMSNormalization: layerNorm(false),
  BatchNormalization: (node, [x, scale, bias, mean, variance]) => {
    const rank = x!.shape.length;
    const epsilon = floatAttribute(node, "epsilon", 1e-5);
    const [m, v] = [mean!, variance!].map((value) => broadcastTo(channels(value, rank), x!.shape).data);
    const data = x!.data.map((value, i) => (value - m![i]!) / Math.sqrt(v![i]! + epsilon));
    return scaled({ shape: x!.shape, data }, channels(scale!, rank), channels(bias!, rank));
  },
  InstanceNormalization: groupNorm((_, x) => x.shape[1]!),
  GroupNormalization: groupNorm((node) => intAttribute(node, "num_groups", 1)),
  ReduceMax: reduceValues((values) => Math.max(...values)),
  ReduceMin: reduceValues((values) => Math.min(...values)),
  ReduceProd: reduceValues((values) => values.reduce((product, value) => product * value, 1)),
  ReduceL1: reduceValues((values) => total(values.map(Math.abs))),
  ReduceL2: reduceValues((values) => Math.hypot(...values)),
  ReduceLogSum: reduceValues((values) => Math.log(total(values))),
  ReduceLogSumExp: reduceValues((values) => Math.log(total(values.map(Math.exp)))),
  ReduceSumSquare: reduceValues((values) => total(values.map((value) => value * value))),
  GlobalMaxPool: (node, [x]) =>
    reduceValues((values) => Math.max(...values))(node, [
      x!,
      array64([x!.shape.length - 2], [...x!.shape.keys()].slice(2)),
    ]),
  LpPool: (node, [x]) => {
    const p = intAttribute(node, "p", 2);
    return pool(
      node,
      x!,
      (values) => total(values.map((v) => (Number.isNaN(v) ? 0 : Math.abs(v) ** p))) ** (1 / p),
    );
  },
  SpaceToDepth: (node, [x]) => {
    const b = intAttribute(node, "blocksize", 1);
    const [n, c, h, w] = x!.shape as [number, number, number, number];
    const result = array64([n, c * b * b, h / b, w / b]);
    let i = 0;
    for (const [image, channel, y, z] of coordinates(x!.shape) as Iterable<
      [number, number, number, number]
    >) {
      const to = [image, ((y % b) * b + (z % b)) * c + channel, Math.floor(y / b), Math.floor(z / b)];
      result.data[indexOf(result.shape, to)] = x!.data[i]!;
      i += 1;
    }
    return result;
  },
  DepthToSpace: (node, [x]) => {
    const b = intAttribute(node, "blocksize", 1);
    const columnsFirst = textAttribute(node, "mode", "DCR") === "CRD";
    const [n, c, h, w] = x!.shape as [number, number, number, number];
    const result = array64([n, c / (b * b), h * b, w * b]);
    let i = 0;
    for (const [image, channel, y, z] of coordinates(result.shape) as Iterable<
      [number, number, number, number]
    >) {
      const block = (y % b) * b + (z % b);
      const from = columnsFirst ? channel * b * b + block : block * (c / (b * b)) + channel;
      result.data[i] = x!.data[indexOf(x!.shape, [image, from, Math.floor(y / b), Math.floor(z / b)])]!;
      i += 1;
    }
    return result;
  },
  Tile: (_, [x, repeats]) => {
    const result = array64(x!.shape.map((dim, i) => dim * repeats!.data[i]!));
    let i = 0;
    for (const at of coordinates(result.shape)) {
      const from = at.map((value, axis) => value % x!.shape[axis]!);
      result.data[i] = x!.data[indexOf(x!.shape, from)]!;
      i += 1;
    }
    return result;
  },
  Trilu: (node, [x, k]) => {
    const upper = intAttribute(node, "upper", 1) !== 0;
    const diagonal = k?.data[0] ?? 0;
    const result = array64(x!.shape);
    let i = 0;
    for (const at of coordinates(x!.shape)) {
      const offset = at.at(-1)! - at.at(-2)! - diagonal;
      result.data[i] = (upper ? offset >= 0 : offset <= 0) ? x!.data[i]! : 0;
      i += 1;
    }
    return result;
  },
  CumSum: (node, [x, axisValue]) => {
    const axis = axisValue!.data[0]!;
    const [exclusive, reverse] = [intAttribute(node, "exclusive", 0), intAttribute(node, "reverse", 0)];
    const result = array64(x!.shape);
    let i = 0;
    for (const at of coordinates(x!.shape)) {
      for (let k = 0; k < x!.shape[axis]!; k += 1) {
        const before = reverse === 0 ? k < at[axis]! : k > at[axis]!;
        if (before || (exclusive === 0 && k === at[axis])) {
          result.data[i]! += x!.data[indexOf(x!.shape, at.with(axis, k))]!;
        }
      }
      i += 1;
    }
    return result;
  },
  Split: (node, [x]) => {
    const axis = intAttribute(node, "axis", 0);
    const sizes = intsAttribute(node, "sizes") ?? [];
    const each = Math.ceil(x!.shape[axis]! / node.outputs.length);
    return node.outputs.map((_, part) => {
      const size = sizes[part] ?? Math.min(each, x!.shape[axis]! - part * each);
      const result = array64(x!.shape.with(axis, size));
      let i = 0;
      for (const at of coordinates(result.shape)) {
        result.data[i] = x!.data[indexOf(x!.shape, at.with(axis, at[axis]! + part * each))]!;
        i += 1;
      }
      return result;
    });
  },
};
