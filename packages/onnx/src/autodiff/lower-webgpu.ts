import { floatAttribute, intAttribute, intsAttribute, nodeLabel, textAttribute } from "../ir/attributes.ts";
import { parseEinsum } from "../ir/einsum.ts";
import type { GraphBuilder } from "../ir/graph-builder.ts";
import type { Node } from "../ir/model.ts";
import { inferNode } from "../ir/shapes.ts";
import { windowOf, windowOutput } from "../ir/window.ts";
import { staticShape, UNKNOWN } from "../ir/fact.ts";
import { calculator, type Calculator } from "./rules/calculator.ts";
import { reversed } from "./rules/moving.ts";
import { normalize } from "./rules/normalization.ts";
import { metBy } from "./rules/pool.ts";
import { padSpatial, tapSlices } from "./rules/taps.ts";

/** Gives the result's name; undefined where the node is right as it is. */
type Write = (builder: GraphBuilder, node: Node, calc: Calculator) => string | undefined;

const SELU_ALPHA = 1.67326319217681884765625;
const SELU_GAMMA = 1.05070102214813232421875;

/** alpha·(eˣ - 1) below zero, x above. */
function exponentialBelow(calc: Calculator, x: string, alpha: number, rate: number): string {
  const below = calc.mul(calc.sub(calc.exp(calc.mul(x, rate)), 1), alpha);
  return calc.where(calc.greater(x, 0), x, below);
}

/** Operators that onnxruntime's WebGPU engine lacks or computes wrong, written with those it has. */
export const WEBGPU_FORMS: Readonly<Record<string, Write>> = {
  Selu: (_, node, calc) => {
    const alpha = floatAttribute(node, "alpha", SELU_ALPHA);
    const gamma = floatAttribute(node, "gamma", SELU_GAMMA);
    return calc.mul(exponentialBelow(calc, node.inputs[0]!, alpha, 1), gamma);
  },
  Celu: (_, node, calc) => {
    const alpha = floatAttribute(node, "alpha", 1);
    return exponentialBelow(calc, node.inputs[0]!, alpha, 1 / alpha);
  },
  Softsign: (_, node, calc) => {
    const x = node.inputs[0]!;
    return calc.div(x, calc.add(1, calc.abs(x)));
  },
  GroupNormalization: (builder, node, calc) => {
    const [x, scale, bias] = node.inputs as [string, string, string];
    const shape = builder.shape(x);
    const [n, c, ...inner] = shape as [number, number, ...number[]];
    const groups = intAttribute(node, "num_groups", 1);
    const grouped = [n, groups, c / groups, ...inner];
    const axes = [...grouped.keys()].slice(2);
    const { value } = normalize(
      builder,
      builder.reshape(x, grouped),
      axes,
      floatAttribute(node, "epsilon", 1e-5),
      true,
    );
    const [factors] = builder.shape(scale);
    const ones = inner.map(() => 1);
    const layout = factors === c ? [1, groups, c / groups, ...ones] : [1, groups, 1, ...ones];
    const scaled = calc.mul(value, builder.reshape(scale, layout));
    return builder.reshape(calc.add(scaled, builder.reshape(bias, layout)), shape);
  },
  SpaceToDepth: (builder, node) => {
    const x = node.inputs[0]!;
    const [n, c, h, w] = builder.shape(x) as [number, number, number, number];
    const b = intAttribute(node, "blocksize", 1);
    const apart = builder.reshape(x, [n, c, h / b, b, w / b, b]);
    const moved = builder.op("Transpose", [apart], { perm: [0, 3, 5, 1, 2, 4] });
    return builder.reshape(moved, [n, c * b * b, h / b, w / b]);
  },
  // The p-th root of taps times the mean of |x|^p
  LpPool: (builder, node, calc) => {
    const p = intAttribute(node, "p", 2);
    const x = node.inputs[0]!;
    const inner = builder.shape(x).slice(2);
    const window = windowOf(node, intsAttribute(node, "kernel_shape") ?? [], inner);
    const outer = windowOutput(node, window, inner) as number[];
    const { kernel, strides, dilations, padsBegin, padsEnd } = metBy(window, inner, outer);
    const power = padSpatial(builder, calc.pow(calc.abs(x), p), padsBegin, padsEnd);
    if (dilations.some((size) => size > 1)) {
      // AveragePool has no dilations before operator set 19.
      const [first, ...rest] = tapSlices(builder, power, window, outer);
      return calc.pow(
        rest.reduce((sum, tap) => calc.add(sum, tap), first!),
        1 / p,
      );
    }
    const mean = builder.op("AveragePool", [power], { kernel_shape: kernel, strides });
    const taps = kernel.reduce((product, size) => product * size, 1);
    return calc.pow(calc.mul(mean, taps), 1 / p);
  },
  Slice: sliceForwards,
  // Its shader does not compile where an ellipsis stands for axes.
  Einsum: (builder, node) => {
    const ranks = node.inputs.map((name) => builder.shape(name).length);
    const { terms, result } = parseEinsum(nodeLabel(node), textAttribute(node, "equation", ""), ranks);
    return builder.op("Einsum", node.inputs, { equation: `${terms.join(",")}->${result}` });
  },
};

/** Appends the form, under the node's own output name. */
export function appendWebgpuForm(builder: GraphBuilder, node: Node): void {
  const result = WEBGPU_FORMS[node.opType]!(builder, node, calculator(builder));
  if (result === undefined) builder.append(node);
  else builder.op("Identity", [result], {}, node.outputs[0]!);
}

/** With negative steps along several axes its Slice gives wrong elements: turn the axis, then step forwards. */
function sliceForwards(builder: GraphBuilder, node: Node): string | undefined {
  const lists = [1, 2, 3, 4].map((i) => builder.fact(node.inputs[i] ?? "")?.values);
  const [starts, , axes, steps] = lists as [number[]?, number[]?, number[]?, number[]?];
  if (starts === undefined || axes === undefined || steps?.some((step) => step < 0) !== true) {
    return undefined;
  }
  const [after] = inferNode(node, new Map(node.inputs.map((name) => [name, builder.fact(name) ?? UNKNOWN])));
  const sizes = staticShape(after);
  if (sizes === undefined || sizes.includes(0)) return undefined;
  let value = node.inputs[0]!;
  const shape = builder.shape(value);
  for (const [k, given] of axes.entries()) {
    const axis = given < 0 ? given + shape.length : given;
    const size = shape[axis]!;
    const step = Math.abs(steps[k]!);
    const first = Math.min(Math.max(starts[k]! < 0 ? starts[k]! + size : starts[k]!, 0), size - 1);
    const from = steps[k]! < 0 ? size - 1 - first : first;
    if (steps[k]! < 0) value = reversed(builder, value, axis);
    const to = from + (sizes[axis]! - 1) * step + 1;
    const bounds = [[from], [to], [axis], [step]].map((list) => builder.int64s(list));
    value = builder.op("Slice", [value, ...bounds]);
  }
  return value;
}
