import type { TensorValue } from "../ir/model.ts";
import { floatValues } from "../ir/tensor-value.ts";
import { floatConstant, indexGraph } from "./readers.ts";
import { Rewriter } from "./rewriter.ts";
import type { Scheme } from "./scheme.ts";
import { elementsOf } from "./weight-site.ts";

const LARGEST = 65_504;
/** A Cast node costs about 40 bytes. */
const SMALLEST_WEIGHT = 32;

/** Stores weights as float16; a Cast, which runtimes fold when they load, brings float32 back. */
export const float16: Scheme = ({ graph }, { exclude = [] }) => {
  const rewriter = new Rewriter(graph);
  const index = indexGraph(graph);
  const excluded = new Set(exclude);
  const reports = [];
  for (const tensor of graph.initializers) {
    const values = floatConstant(index, tensor.name) && floatValues(tensor);
    const named = [tensor.name, ...(index.readers.get(tensor.name) ?? []).map(({ name }) => name)];
    const kept =
      values === undefined ||
      elementsOf(tensor) < SMALLEST_WEIGHT ||
      named.some((name) => excluded.has(name)) ||
      index.outputs.has(tensor.name) ||
      // Beyond the type's range a weight stays as it is.
      values.some((value) => Math.abs(value) > LARGEST);
    if (kept) {
      rewriter.constant(tensor);
      continue;
    }
    const bits = Uint16Array.from(values, toFloat16);
    let [error, norm] = [0, 0];
    for (const [i, value] of values.entries()) {
      error += (fromFloat16(bits[i]!) - value) ** 2;
      norm += value ** 2;
    }
    reports.push({
      name: tensor.name,
      relativeError: norm === 0 ? 0 : Math.sqrt(error / norm),
      saturatedShare: 0,
    });
    const stored: TensorValue = {
      name: rewriter.name(`${tensor.name}.float16`),
      elementType: "float16",
      dims: tensor.dims,
      data: new Uint8Array(bits.buffer),
    };
    rewriter.op("Cast", [rewriter.constant(stored)], tensor.name, { to: 1 });
  }
  return {
    graph: { ...graph, nodes: [...rewriter.nodes, ...graph.nodes], initializers: rewriter.initializers },
    weights: new Map(),
    reports,
  };
};

const view = new DataView(new ArrayBuffer(4));

/** Bits of the nearest float16, ties to even. */
export function toFloat16(value: number): number {
  view.setFloat32(0, value);
  const bits = view.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 255) - 127;
  if (exponent === 128) return sign | (bits & 0x7fffff ? 0x7e00 : 0x7c00);
  if (exponent < -25) return sign;
  // The bits below the result's last, as a fraction of it: subnormals shift further.
  const shift = exponent < -14 ? -1 - exponent : 13;
  const mantissa = (bits & 0x7fffff) | (exponent < -14 ? 0x800000 : 0);
  const base = exponent < -14 ? 0 : (exponent + 15) << 10;
  const whole = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  const up = rest > half || (rest === half && whole % 2 === 1) ? 1 : 0;
  const rounded = base + whole + up;
  return sign | Math.min(rounded, 0x7c00);
}

export function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : Number.NaN;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}
