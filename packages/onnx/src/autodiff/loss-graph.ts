import { decodeModel } from "../ir/decode.ts";
import { shapeText, staticShape } from "../ir/fact.ts";
import { constantsToInitializers, foldShapeValues } from "../ir/fold-constants.ts";
import type { GraphBuilder } from "../ir/graph-builder.ts";
import { eliminateDeadCode, sortNodes } from "../ir/graph-order.ts";
import type { Model, Node, ValueInfo } from "../ir/model.ts";
import { factOfTensor } from "../ir/shape-rules/constant.ts";
import { inferShapes } from "../ir/shapes.ts";
import { upgradeModel } from "../ir/upgrade.ts";
import type { GraphPort } from "./build-spec.ts";
import { appendLowered } from "./lower.ts";
import { invalid } from "./loss-options.ts";
import { sharesOf, sumAll } from "./loss-parts.ts";
import type { GraphTarget, Seed } from "./rule.ts";

/** What a loss graph calls the weights of the examples. */
export const WEIGHTS_INPUT = "sampleWeights";

/** A loss graph as it is read: sorted, in the common forms. */
export interface LossGraph {
  readonly model: Model;
  /** Without initializers. */
  readonly inputs: readonly ValueInfo[];
}

/** Reads the graph of a loss. Errors: `onnx/invalid-option`, those of decodeModel. */
export function readLossGraph(bytes: Uint8Array): LossGraph {
  const decoded = decodeModel(bytes);
  const sorted = { ...decoded, graph: { ...decoded.graph, nodes: sortNodes(decoded.graph) } };
  const upgraded = upgradeModel(sorted);
  const graph = constantsToInitializers(upgraded.graph);
  if (graph.outputs.length !== 1) {
    throw invalid(`loss graph: one output expected, got ${graph.outputs.length}`);
  }
  const control = graph.nodes.find(({ attributes }) =>
    [...attributes.values()].some(({ type }) => type === "graph" || type === "graphs"),
  );
  if (control !== undefined) {
    throw invalid(`loss graph: ${control.opType} holds a graph of its own; export it unrolled`);
  }
  const constants = new Set(graph.initializers.map(({ name }) => name));
  return { model: { ...upgraded, graph }, inputs: graph.inputs.filter(({ name }) => !constants.has(name)) };
}

/** The label of a loss graph's input, for batches of `batchSize`. Errors: `onnx/invalid-option`. */
export function labelPort(
  { name, elementType, shape }: ValueInfo,
  port: string,
  batchSize: number,
): GraphPort {
  if (elementType !== "float32" && elementType !== "int32" && elementType !== "int64") {
    throw invalid(`loss graph: label "${name}" is ${elementType}; use float32, int32 or int64`);
  }
  const [batch, ...rest] = shape ?? [];
  if (batch === undefined || (typeof batch === "number" && batch !== batchSize)) {
    throw invalid(
      `loss graph: label "${name}" ${shapeText(shape)} must begin with the batch, free or ${batchSize}`,
    );
  }
  if (!rest.every((dim) => typeof dim === "number")) {
    throw invalid(`loss graph: label "${name}" ${shapeText(shape)}: only the batch may be free`);
  }
  return { name: port, dtype: elementType, shape: [batchSize, ...(rest as number[])] };
}

/** What a loss graph leaves: nodes to differentiate through, and where to begin. */
export interface LossGraphValues {
  readonly lossSum: string;
  readonly nodes: readonly Node[];
  readonly seed: () => Seed;
}

/**
 * Appends a loss graph under names of its own. `bound` says which value each of its inputs reads.
 * Errors: `onnx/invalid-option`, those of shape inference.
 */
export function appendLossGraph(
  builder: GraphBuilder,
  { model, inputs }: LossGraph,
  options: {
    readonly bound: ReadonlyMap<string, string>;
    readonly sampleWeights: string;
    readonly lossSum: string;
    readonly prefix: string;
    readonly target: GraphTarget;
  },
): LossGraphValues {
  const { bound, sampleWeights, lossSum, prefix, target } = options;
  for (const { name, elementType } of inputs) {
    const known = builder.fact(bound.get(name)!)?.elementType;
    if (known !== elementType)
      throw invalid(`loss graph: "${name}" is ${elementType}, the model's is ${known}`);
  }
  const shapes = Object.fromEntries(inputs.map(({ name }) => [name, builder.shape(bound.get(name)!)]));
  const folded = foldShapeValues(model.graph, inferShapes(model, shapes));
  const graph = eliminateDeadCode(folded);
  const rename = (name: string): string => (name === "" ? "" : (bound.get(name) ?? `${prefix}${name}`));
  for (const tensor of graph.initializers) {
    const renamed = { ...tensor, name: rename(tensor.name) };
    builder.initializers.push(renamed);
    builder.declare(renamed.name, factOfTensor(renamed));
  }
  const nodes = graph.nodes.map((node): Node => ({
    ...node,
    name: rename(node.outputs[0] ?? ""),
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
  }));
  for (const node of nodes) appendLowered(builder, node, target);
  const value = rename(graph.outputs[0]!.name);
  const shape = staticShape(builder.fact(value));
  const [batch] = builder.shape(sampleWeights) as [number];
  const isEach = shape?.[0] === batch && shape.every((size, i) => i === 0 || size === 1);
  const isMean = shape?.every((size) => size === 1) === true && !isEach;
  if (!isEach && !isMean) {
    throw invalid(`loss graph: its output is ${shapeText(shape)}; [${batch}] or [] is needed`);
  }
  if (isEach) {
    const each = builder.op("Mul", [builder.reshape(value, [batch]), sampleWeights]);
    sumAll(builder, each, lossSum);
    const gradient = () => builder.reshape(sharesOf(builder, sampleWeights), shape);
    return { lossSum, nodes, seed: () => ({ value, gradient: gradient() }) };
  }
  if (!inputs.some(({ name }) => name === WEIGHTS_INPUT)) {
    throw invalid(
      `loss graph: a scalar has to read "${WEIGHTS_INPUT}", which are 0 for padding; or give the loss of each example`,
    );
  }
  const total = builder.reduceSum(sampleWeights, [0], false);
  builder.op("Mul", [builder.reshape(value, []), total], {}, lossSum);
  return { lossSum, nodes, seed: () => ({ value, gradient: builder.floats(shape, [1]) }) };
}
