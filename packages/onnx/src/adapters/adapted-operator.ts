import { intAttribute } from "../ir/attributes.ts";
import type { Node, TensorValue } from "../ir/model.ts";

/** Operators that take low-rank adapters. */
export type AdaptedOp = "Conv" | "Gemm" | "MatMul";

export function isAdaptedOp(opType: string): opType is AdaptedOp {
  return opType === "Conv" || opType === "Gemm" || opType === "MatMul";
}

/** The two factors of a weight's change, in the layout of the operator that reads them. */
export interface FactorShapes {
  readonly a: readonly number[];
  readonly b: readonly number[];
  /** Inputs of one output of A, for the scale it begins with. */
  readonly fanIn: number;
  /** Largest rank that still says less than the weight itself. */
  readonly maxRank: number;
}

/** Shapes of the factors of a node's weight; undefined where the operator or the weight's rank is not adapted. */
export function factorShapes(node: Node, dims: readonly number[], rank: number): FactorShapes | undefined {
  if (node.domain !== "" || !isAdaptedOp(node.opType)) return undefined;
  if (node.opType === "Conv") {
    const [outputs, inputs, ...kernel] = dims as [number, number, ...number[]];
    if (kernel.length === 0) return undefined;
    const group = intAttribute(node, "group", 1);
    const fanIn = kernel.reduce((product, size) => product * size, inputs);
    return {
      a: [group * rank, inputs, ...kernel],
      b: [outputs, rank, ...kernel.map(() => 1)],
      fanIn,
      maxRank: Math.min(outputs / group, fanIn),
    };
  }
  if (dims.length !== 2) return undefined;
  const transposed = isTransposed(node);
  const [inputs, outputs] = transposed ? [dims[1]!, dims[0]!] : (dims as [number, number]);
  return {
    a: transposed ? [rank, inputs] : [inputs, rank],
    b: transposed ? [outputs, rank] : [rank, outputs],
    fanIn: inputs,
    maxRank: Math.min(inputs, outputs),
  };
}

function isTransposed(node: Node): boolean {
  return node.opType === "Gemm" && intAttribute(node, "transB", 0) === 1;
}

/**
 * The change scaling * A·B of a weight, in its own layout, added to its values; sums in float64, rounded once.
 * `node` is one that reads the weight.
 */
export function addFactors(
  node: Node,
  weight: { readonly tensor: TensorValue; readonly values: Float32Array },
  a: Float32Array,
  b: Float32Array,
  scaling: number,
): Float32Array<ArrayBuffer> {
  const { dims } = weight.tensor;
  const isConv = node.opType === "Conv";
  const transposed = isConv || isTransposed(node);
  const outputs = transposed ? dims[0]! : dims[1]!;
  const fanIn = weight.values.length / outputs;
  const rank = b.length / outputs;
  const perGroup = isConv ? outputs / intAttribute(node, "group", 1) : outputs;
  const merged = new Float32Array(weight.values.length);
  for (let o = 0; o < outputs; o++) {
    const firstRow = Math.floor(o / perGroup) * rank;
    for (let i = 0; i < fanIn; i++) {
      let sum = 0;
      for (let r = 0; r < rank; r++) {
        const fromA = transposed ? a[(firstRow + r) * fanIn + i]! : a[i * rank + r]!;
        const fromB = transposed ? b[o * rank + r]! : b[r * outputs + o]!;
        sum += fromA * fromB;
      }
      const at = transposed ? o * fanIn + i : i * outputs + o;
      merged[at] = weight.values[at]! + scaling * sum;
    }
  }
  return merged;
}
