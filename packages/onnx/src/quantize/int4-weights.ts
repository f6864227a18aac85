import { failure } from "@tributary/core";
import type { Node, TensorValue } from "../ir/model.ts";
import { floatValues, int64Tensor } from "../ir/tensor-value.ts";
import { opsetOf } from "../ir/upgrade.ts";
import { quantizeTensor, type GroupedValues, type QuantizedTensor } from "./quantize-tensor.ts";
import { Rewriter } from "./rewriter.ts";
import { frozenWeight, type Scheme } from "./scheme.ts";
import { transposed } from "./transpose-weights.ts";
import { elementsOf, linearSites, weightSites, type LinearSite } from "./weight-site.ts";

/** Elements along the reduced axis that share a scale. */
export const INT4_BLOCK = 32;
/** Sub-byte types and blocks came to DequantizeLinear with this operator set. */
const BLOCKED_OPSET = 21;
const SMALLEST_PACKED = 1024;
const CONTRIB_DOMAIN = "com.microsoft";

/**
 * Four bits for each weight, a scale for each 32 of an output channel. Dense layers become MatMulNBits, whose
 * kernel reads the packed weights; convolutions, and dense layers on request, a blocked DequantizeLinear.
 */
export const int4Weights: Scheme = (model, options) => {
  const { graph } = model;
  const { exclude = [], int4Form = "matmul-nbits", symmetric = true } = options;
  const rewriter = new Rewriter(graph);
  const weights = new Map<string, QuantizedTensor>();
  const dense = new Map<Node, LinearSite>();
  // Next to convolutions, which need the blocked form anyway, small layers take it too: it has no padding.
  const mixed = graph.nodes.some(({ opType }) => opType === "Conv");
  for (const site of int4Form === "matmul-nbits" ? linearSites(graph, exclude) : []) {
    const small = mixed && elementsOf(site.weight) < SMALLEST_PACKED;
    if (site.node.opType !== "Conv" && site.readers.length === 1 && !small) dense.set(site.node, site);
  }
  const packed = new Set([...dense.values()].map(({ weight }) => weight.name));
  let blocked = false;
  const sites = weightSites(graph, exclude).filter(({ readers }) =>
    readers.every(({ opType }) => opType === "Conv" || opType === "Gemm" || opType === "MatMul"),
  );
  for (const { weight, axis } of sites) {
    const rows = rowsOf(weight, axis);
    if (rows === undefined) continue;
    const quantized = quantizeTensor(rows.grouped, {
      type: "int4",
      symmetric,
      frozen: frozenWeight(options, weight.name),
    });
    weights.set(weight.name, quantized);
    if (packed.has(weight.name)) continue;
    blocked = true;
    dequantizeBlocks(rewriter, weight, rows, quantized);
  }
  if (blocked && opsetOf(model) < BLOCKED_OPSET) refuseChangedOperators(graph.nodes);
  const first = [...rewriter.nodes];
  rewriter.nodes.length = 0;
  for (const node of graph.nodes) {
    const site = dense.get(node);
    const quantized = site && weights.get(site.weight.name);
    if (site === undefined || quantized === undefined) rewriter.nodes.push(node);
    else multiplyPacked(rewriter, site, quantized);
  }
  return {
    graph: {
      ...graph,
      nodes: [...first, ...rewriter.nodes],
      initializers: [
        ...graph.initializers.filter(({ name }) => !weights.has(name)),
        ...rewriter.initializers,
      ],
    },
    opsets: {
      ...(blocked ? { "": BLOCKED_OPSET } : {}),
      ...(packed.size > 0 ? { [CONTRIB_DOMAIN]: 1 } : {}),
    },
    weights,
    reports: Array.from(weights.values(), ({ report }) => report),
  };
};

/** A weight as rows, one for each output channel, in blocks. */
interface Rows {
  /** The file keeps the weight by rows too; else transposed. */
  readonly byRow: boolean;
  readonly rows: number;
  readonly columns: number;
  readonly blocks: number;
  readonly grouped: GroupedValues;
}

function rowsOf(weight: TensorValue, axis: number): Rows | undefined {
  const values = floatValues(weight);
  const rows = weight.dims[axis]!;
  if (rows === 0 || values.length === 0 || (axis !== 0 && weight.dims.length !== 2)) return undefined;
  const columns = values.length / rows;
  const blocks = Math.ceil(columns / INT4_BLOCK);
  const byRow = axis === 0 ? values : transposed(values, columns, rows);
  const groupOf = (i: number): number =>
    Math.floor(i / columns) * blocks + Math.floor((i % columns) / INT4_BLOCK);
  return {
    byRow: axis === 0,
    rows,
    columns,
    blocks,
    grouped: { name: weight.name, values: byRow, groups: rows * blocks, groupOf },
  };
}

/**
 * B of MatMulNBits: [N, blocks, 16], the earlier of two elements in the low half, unsigned. The zero point is 8, or one
 * for each block, two in a byte, every row from a byte of its own.
 */
function multiplyPacked(
  rewriter: Rewriter,
  { node, weight, bias, axis }: LinearSite,
  quantized: QuantizedTensor,
): void {
  const rows = weight.dims[axis]!;
  const columns = quantized.integers.length / rows;
  const blocks = Math.ceil(columns / INT4_BLOCK);
  const rowBytes = (blocks * INT4_BLOCK) / 2;
  const data = new Uint8Array(rows * rowBytes).fill(0x88);
  for (const [i, integer] of quantized.integers.entries()) {
    const column = i % columns;
    const at = Math.floor(i / columns) * rowBytes + (column >> 1);
    const nibble = integer + 8;
    data[at] = column % 2 === 0 ? (data[at]! & 0xf0) | nibble : (data[at]! & 0x0f) | (nibble << 4);
  }
  const dims = [rows, blocks, INT4_BLOCK / 2];
  const inputs = [
    node.inputs[0]!,
    rewriter.constant({ name: rewriter.name(`${weight.name}.int4`), elementType: "uint8", dims, data }),
    rewriter.floats(`${weight.name}.scale`, [rows * blocks], quantized.scales),
  ];
  const attributes = { K: columns, N: rows, bits: 4, block_size: INT4_BLOCK };
  const { zeroPoints } = quantized;
  const zeros = zeroPoints.every((zero) => zero === 0)
    ? []
    : [rewriter.constant(packedZeros(rewriter.name(`${weight.name}.zero`), zeroPoints, rows, blocks))];
  // Input 4 is a reordering of columns.
  const withBias =
    bias === undefined ? zeros : [...(zeros.length === 0 ? [""] : zeros), "", rowBias(rewriter, bias)];
  rewriter.op("MatMulNBits", [...inputs, ...withBias], node.outputs[0]!, attributes, CONTRIB_DOMAIN);
}

function packedZeros(name: string, zeroPoints: readonly number[], rows: number, blocks: number): TensorValue {
  const rowBytes = Math.ceil(blocks / 2);
  const data = new Uint8Array(rows * rowBytes);
  for (const [i, zero] of zeroPoints.entries()) {
    const block = i % blocks;
    data[Math.floor(i / blocks) * rowBytes + (block >> 1)]! |= (zero + 8) << (block % 2 === 0 ? 0 : 4);
  }
  return { name, elementType: "uint8", dims: [rows * rowBytes], data };
}

/** A bias as [N]; Gemm also takes [1, N]. */
function rowBias(rewriter: Rewriter, bias: TensorValue): string {
  if (bias.dims.length === 1) return bias.name;
  return rewriter.constant({ ...bias, name: rewriter.name(`${bias.name}.row`), dims: [elementsOf(bias)] });
}

/** DequantizeLinear of [rows, columns] in blocks, and back to the shape that the operator reads. */
function dequantizeBlocks(
  rewriter: Rewriter,
  weight: TensorValue,
  rows: Rows,
  quantized: QuantizedTensor,
): void {
  const { integers, scales, zeroPoints } = quantized;
  const { byRow } = rows;
  const matrix = byRow ? [rows.rows, rows.columns] : [rows.columns, rows.rows];
  const scaleShape = byRow ? [rows.rows, rows.blocks] : [rows.blocks, rows.rows];
  const place = (i: number): number =>
    byRow ? i : (i % rows.columns) * rows.rows + Math.floor(i / rows.columns);
  // Around zero it is int4 without zero points; else uint4, as other tools write it.
  const signed = zeroPoints.every((zero) => zero === 0);
  const elementType = signed ? "int4" : "uint4";
  const shift = signed ? 0 : 8;
  const pack = (count: number, nibbles: Iterable<number>, at = (i: number): number => i): Uint8Array => {
    const data = new Uint8Array(Math.ceil(count / 2));
    let i = 0;
    for (const nibble of nibbles) {
      const to = at(i++);
      data[to >> 1]! |= ((nibble + shift) & 15) << (to % 2 === 0 ? 0 : 4);
    }
    return data;
  };
  const inScaleOrder = (list: readonly number[]): readonly number[] =>
    byRow
      ? list
      : Array.from(list, (_, i) => list[(i % rows.rows) * rows.blocks + Math.floor(i / rows.rows)]!);
  const inputs = [
    rewriter.constant({
      name: rewriter.name(`${weight.name}.int4`),
      elementType,
      dims: matrix,
      data: pack(integers.length, integers, place),
    }),
    rewriter.floats(`${weight.name}.scale`, scaleShape, inScaleOrder(scales)),
  ];
  if (!signed) {
    const data = pack(zeroPoints.length, inScaleOrder(zeroPoints));
    inputs.push(
      rewriter.constant({ name: rewriter.name(`${weight.name}.zero`), elementType, dims: scaleShape, data }),
    );
  }
  const attributes = { axis: byRow ? 1 : 0, block_size: INT4_BLOCK };
  if (weight.dims.length === 2) {
    rewriter.op("DequantizeLinear", inputs, weight.name, attributes);
    return;
  }
  const flat = rewriter.op("DequantizeLinear", inputs, rewriter.name(`${weight.name}.flat`), attributes);
  const shape = rewriter.constant(
    int64Tensor(rewriter.name(`${weight.name}.shape`), [weight.dims.length], weight.dims),
  );
  rewriter.op("Reshape", [flat, shape], weight.name);
}

/** Operators whose meaning changed between the common operator set and the one that blocks need. */
function refuseChangedOperators(nodes: readonly Node[]): void {
  const changed = nodes.find(({ opType, domain }) => domain === "" && opType === "GroupNormalization");
  if (changed !== undefined) {
    throw failure(
      "onnx/unsupported-operator",
      `onnx: GroupNormalization "${changed.name}" counts differently from operator set ${BLOCKED_OPSET} on, which int4 convolutions need; export with ${BLOCKED_OPSET} or newer, or exclude the convolutions`,
    );
  }
}
