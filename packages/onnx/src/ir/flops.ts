import { intAttribute, intsAttribute, textAttribute } from "./attributes.ts";
import type { ShapeTable } from "./fact.ts";
import { staticShape } from "./fact.ts";
import type { Node } from "./model.ts";

/** Floating-point operations of one run; a multiplication with an addition counts as two. */
export interface FlopCount {
  readonly total: number;
  /** By operator, largest first. */
  readonly byOp: Readonly<Record<string, number>>;
  /** Operators that are not counted, for want of a shape or of a formula. */
  readonly uncounted: readonly string[];
}

/** Shapes of a node's operands; each accessor gives undefined where the shape is not known. */
interface Sizes {
  readonly node: Node;
  readonly input: (index: number) => readonly number[] | undefined;
  readonly output: () => readonly number[] | undefined;
}

type Formula = (sizes: Sizes) => number | undefined;

function product(shape: readonly number[]): number {
  return shape.reduce((all, dim) => all * dim, 1);
}

/** So many operations for each element of the result. */
function perOutput(cost: number): Formula {
  return ({ output }) => {
    const shape = output();
    return shape && cost * product(shape);
  };
}

function perInput(cost: number): Formula {
  return ({ input }) => {
    const shape = input(0);
    return shape && cost * product(shape);
  };
}

/** Each element of the result is a dot product with one filter. */
function convolution(weights: number): Formula {
  return ({ input, output }) => {
    const [w, y] = [input(weights), output()];
    return w && y && 2 * product(y) * product(w.slice(1));
  };
}

const convTranspose: Formula = ({ input }) => {
  const [x, w] = [input(0), input(1)];
  return x && w && 2 * product(x) * product(w.slice(1));
};

/** Each element of the result is a dot product along the last axis of the first operand. */
const matrixProduct: Formula = ({ node, input, output }) => {
  const [a, y] = [input(0), output()];
  if (a === undefined || y === undefined) return undefined;
  const transposed = node.opType === "Gemm" && intAttribute(node, "transA", 0) !== 0;
  return 2 * product(y) * (a.at(transposed ? -2 : -1) ?? 1);
};

/** Every combination of the letters is one product. */
const einsum: Formula = ({ node, input }) => {
  const equation = textAttribute(node, "equation", "").replaceAll(" ", "");
  const sizes = new Map<string, number>();
  for (const [i, term] of equation.split("->")[0]!.split(",").entries()) {
    const shape = input(i);
    if (shape === undefined || term.includes(".") || term.length !== shape.length) return undefined;
    for (const [k, size] of shape.entries()) {
      sizes.set(term[k]!, Math.max(size, sizes.get(term[k]!) ?? 1));
    }
  }
  return 2 * product([...sizes.values()]);
};

/** One operation for each element under the window. */
const pooling: Formula = ({ node, output }) => {
  const y = output();
  return y && product(y) * product(intsAttribute(node, "kernel_shape") ?? []);
};

/** Matrix products of every step; the gates' element-wise part is small beside them. */
const recurrent: Formula = ({ input }) => {
  const [x, w, r] = [input(0), input(1), input(2)];
  return x && w && r && 2 * x[0]! * x[1]! * (product(w) + product(r));
};

/** Scores and their product with the values. */
const attention: Formula = ({ node, input }) => {
  const [q, k, v] = [input(0), input(1), input(2)];
  if (q === undefined || k === undefined || v === undefined) return undefined;
  const heads = q.length === 4 ? q[1]! : intAttribute(node, "q_num_heads", 1);
  const keyHeads = k.length === 4 ? k[1]! : intAttribute(node, "kv_num_heads", 1);
  const keys = k.at(-2)!;
  const width = q.length === 4 ? q[3]! : q[2]! / heads;
  const valueWidth = v.length === 4 ? v[3]! : v[2]! / keyHeads;
  return 2 * q[0]! * heads * q.at(-2)! * keys * (width + valueWidth);
};

const FREE = `Cast CastLike Concat Constant ConstantOfShape DepthToSpace Dropout Expand EyeLike Flatten Gather
  GatherElements GatherND Identity NonZero OneHot Pad Range Reshape Scatter ScatterElements ScatterND Shape Size
  Slice SpaceToDepth Split Squeeze Tile Transpose Trilu Unsqueeze Where`;
const ONE = `Abs Add And Ceil Clip Div Equal Floor Greater GreaterOrEqual LeakyRelu Less LessOrEqual Max Min Mod
  Mul Neg Not Or PRelu Reciprocal Relu Sign Sqrt Sub Sum ThresholdedRelu`;
const SEVERAL = `Celu Elu Erf Exp Gelu HardSigmoid HardSwish Log Mish Pow Selu Sigmoid Softplus Softsign Swish Tanh
  DequantizeLinear QuantizeLinear Resize`;
const REDUCTIONS = `ArgMax ArgMin CumSum GlobalAveragePool GlobalMaxPool ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax
  ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare TopK`;
const NORMALIZATIONS = `GroupNormalization InstanceNormalization LayerNormalization LogSoftmax LRN
  LpNormalization RMSNormalization Softmax`;

function rows(ops: string, formula: Formula): [string, Formula][] {
  return ops.split(/\s+/u).map((op) => [op, formula]);
}

const FORMULAS: ReadonlyMap<string, Formula> = new Map([
  ...rows(FREE, () => 0),
  ...rows(ONE, perOutput(1)),
  ...rows(SEVERAL, perOutput(4)),
  ...rows(REDUCTIONS, perInput(1)),
  ...rows(NORMALIZATIONS, perInput(5)),
  ...rows("BatchNormalization", perOutput(2)),
  ...rows("Conv ConvInteger", convolution(1)),
  ...rows("QLinearConv", convolution(3)),
  ...rows("ConvTranspose", convTranspose),
  ...rows("Gemm MatMul MatMulInteger QLinearMatMul", matrixProduct),
  ...rows("Einsum", einsum),
  ...rows("AveragePool LpPool MaxPool", pooling),
  ...rows("GRU LSTM RNN", recurrent),
  ...rows("Attention", attention),
]);

/** Counts the operations of a graph whose shapes are known. */
export function countFlops(nodes: readonly Node[], facts: ShapeTable): FlopCount {
  const byOp = new Map<string, number>();
  const uncounted = new Set<string>();
  for (const node of nodes) {
    const formula = node.domain === "" ? FORMULAS.get(node.opType) : undefined;
    const flops = formula?.({
      node,
      input: (index) => staticShape(facts.get(node.inputs[index] ?? "")),
      output: () => staticShape(facts.get(node.outputs[0] ?? "")),
    });
    if (flops === undefined)
      uncounted.add(node.domain === "" ? node.opType : `${node.domain}.${node.opType}`);
    else byOp.set(node.opType, (byOp.get(node.opType) ?? 0) + flops);
  }
  return {
    total: [...byOp.values()].reduce((sum, flops) => sum + flops, 0),
    byOp: Object.fromEntries([...byOp].filter(([, flops]) => flops > 0).toSorted(([, a], [, b]) => b - a)),
    uncounted: [...uncounted],
  };
}
