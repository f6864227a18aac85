import { intAttribute } from "../ir/attributes.ts";
import type { Graph, Node, TensorValue } from "../ir/model.ts";
import { floatValues } from "../ir/tensor-value.ts";
import type { GroupedValues } from "./quantize-tensor.ts";
import { floatConstant, indexGraph, type GraphIndex } from "./readers.ts";

/** A constant that makes up a model's size, and how its channels lie. */
export interface WeightSite {
  readonly weight: TensorValue;
  /** Counts output channels (rows of an embedding). */
  readonly axis: number;
  readonly readers: readonly Node[];
}

type AxisRule = (node: Node, rank: number) => number;

/** Weight inputs by operator and position; the rule gives the axis of output channels. */
const WEIGHT_INPUTS: ReadonlyMap<string, ReadonlyMap<number, AxisRule>> = new Map([
  ["Conv", new Map<number, AxisRule>([[1, () => 0]])],
  ["ConvTranspose", new Map<number, AxisRule>([[1, () => 1]])],
  ["Gemm", new Map<number, AxisRule>([[1, (node) => (intAttribute(node, "transB", 0) === 1 ? 0 : 1)]])],
  ["MatMul", new Map<number, AxisRule>([[1, (_, rank) => rank - 1]])],
  ["Gather", new Map<number, AxisRule>([[0, () => 0]])],
  ["LSTM", recurrent()],
  ["GRU", recurrent()],
  ["RNN", recurrent()],
]);

function recurrent(): ReadonlyMap<number, AxisRule> {
  return new Map<number, AxisRule>([
    [1, () => 1],
    [2, () => 1],
  ]);
}

/** Smaller tensors cost more in scales and nodes than they save. */
const SMALLEST_WEIGHT = 64;

/** Weights in file order that every reader reads as a weight along the same axis. */
export function weightSites(graph: Graph, exclude: readonly string[]): WeightSite[] {
  const index = indexGraph(graph);
  const excluded = new Set(exclude);
  const sites: WeightSite[] = [];
  for (const { name } of graph.initializers) {
    const weight = floatConstant(index, name);
    if (weight === undefined || weight.dims.length < 2 || index.outputs.has(name)) continue;
    if (elementsOf(weight) < SMALLEST_WEIGHT || excluded.has(name)) continue;
    const readers = index.readers.get(name) ?? [];
    const axes = new Set(readers.map((node) => axisIn(node, weight)));
    const [axis] = axes;
    if (axes.size !== 1 || axis === undefined || axis >= weight.dims.length) continue;
    if (readers.some((node) => excluded.has(node.name))) continue;
    sites.push({ weight, axis, readers });
  }
  return sites;
}

function axisIn(node: Node, weight: TensorValue): number | undefined {
  const rules = node.domain === "" ? WEIGHT_INPUTS.get(node.opType) : undefined;
  const positions = node.inputs.flatMap((name, i) => (name === weight.name ? [i] : []));
  if (positions.length !== 1) return undefined;
  return rules?.get(positions[0]!)?.(node, weight.dims.length);
}

/** A Conv, or a Gemm or MatMul with a matrix as its weight, that integer kernels can compute. */
export interface LinearSite extends WeightSite {
  readonly node: Node;
  readonly bias: TensorValue | undefined;
}

export function linearSites(graph: Graph, exclude: readonly string[]): LinearSite[] {
  const index = indexGraph(graph);
  return weightSites(graph, exclude).flatMap((site) =>
    site.readers.flatMap((node) => {
      const linear = linearSite(index, site, node);
      return linear === undefined ? [] : [linear];
    }),
  );
}

function linearSite(index: GraphIndex, site: WeightSite, node: Node): LinearSite | undefined {
  if (!["Conv", "Gemm", "MatMul"].includes(node.opType)) return undefined;
  if (node.opType !== "Conv" && site.weight.dims.length !== 2) return undefined;
  if (index.constants.has(node.inputs[0]!)) return undefined;
  const biasName = node.inputs[2] ?? "";
  const bias = floatConstant(index, biasName);
  if (biasName !== "" && bias === undefined) return undefined;
  if (node.opType === "Gemm") {
    const channels = site.weight.dims[site.axis];
    const row = bias === undefined || (elementsOf(bias) === channels && bias.dims.at(-1) === channels);
    if (!row || intAttribute(node, "transA", 0) !== 0 || !isOne(node, "alpha") || !isOne(node, "beta"))
      return undefined;
  }
  return { ...site, node, bias };
}

function isOne(node: Node, name: string): boolean {
  const attribute = node.attributes.get(name);
  return attribute === undefined || (attribute.type === "float" && attribute.value === 1);
}

/** A weight with one group for each channel, or one for all. */
export function channelGroups({ weight, axis }: WeightSite, perChannel: boolean): GroupedValues {
  const inner = weight.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const channels = weight.dims[axis]!;
  return {
    name: weight.name,
    values: floatValues(weight),
    groups: perChannel ? channels : 1,
    groupOf: perChannel ? (i) => Math.floor(i / inner) % channels : () => 0,
  };
}

export function elementsOf({ dims }: TensorValue): number {
  return dims.reduce((product, dim) => product * dim, 1);
}
