import { failure } from "@tributary/core";
import { intAttribute, nodeLabel } from "../ir/attributes.ts";
import { decodeModel } from "../ir/decode.ts";
import type { ShapeTable } from "../ir/fact.ts";
import { shapeText, staticShape } from "../ir/fact.ts";
import { constantsToInitializers, foldShapeValues } from "../ir/fold-constants.ts";
import { RESERVED_PREFIX } from "../ir/graph-builder.ts";
import { eliminateDeadCode, readsOf, sortNodes } from "../ir/graph-order.ts";
import type { Graph, Model, Node, ValueInfo } from "../ir/model.ts";
import type { Trainable } from "../ir/parameters.ts";
import { trainableInitializers } from "../ir/parameters.ts";
import { inferShapes } from "../ir/shapes.ts";
import { integerValues } from "../ir/tensor-value.ts";
import { opsetOf, upgradeModel } from "../ir/upgrade.ts";
import { weightNames } from "../ir/weight-names.ts";
import type { GraphPort } from "./build-spec.ts";
import { fedInputs, rebatch } from "./fed-inputs.ts";
import type { LossHead } from "./loss-options.ts";
import { poolFirst } from "./pool-first.ts";
import { SAMPLE_WEIGHTS } from "./reserved-names.ts";
import type { DropoutMask, GraphPurpose, TrainingForms } from "./training-forms.ts";
import { trainingForms } from "./training-forms.ts";

/** A model brought into the one form that training and evaluation graphs are built from. */
export interface PreparedModel {
  readonly opset: number;
  readonly irVersion: number;
  /** Sorted, static, without what only made the softmax head. Parameters are still initializers. */
  readonly graph: Graph;
  readonly facts: ShapeTable;
  /** What is fed of an example, at least one; the batch is the first axis of each. */
  readonly inputs: readonly [GraphPort, ...GraphPort[]];
  /** What the losses read, in their order; undefined for what needed not be there and is not. */
  readonly heads: readonly (PreparedHead | undefined)[];
  readonly parameters: readonly PreparedParameter[];
  /** Parameters that are inputs and not trained. */
  readonly frozen: PreparedModel["parameters"];
  /** Masks that are fed, in the graph's order. */
  readonly dropouts: readonly DropoutMask[];
}

export interface PreparedParameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** Of a running statistic that this graph moves: the value with what it becomes. */
  readonly moved?: string;
}

/** An output that a loss reads. */
export interface HeadRead {
  /** Left out: the first that the loss fits. */
  readonly output: string | undefined;
  /** What the loss takes in of the model's own head. */
  readonly head: LossHead;
  /** The model may have no such output. */
  readonly ifThere?: boolean;
}

export interface PreparedHead {
  readonly output: string;
  /** The value before the softmax or sigmoid that the loss takes in, [batchSize, …]; [batchSize, classes] of a classifier. */
  readonly logits: string;
  readonly shape: readonly number[];
}

const NEWEST_IR = 10;

/** Most classes that a loss is built for. */
const MAX_CLASSES = 2 ** 18;

/** Largest batch a graph is built for. */
const MAX_BATCH_SIZE = 65_536;

/** Reads a model and fixes its batch size. Errors: any `onnx/*`. */
export function prepareModel(
  bytes: Uint8Array,
  options: {
    readonly purpose: GraphPurpose;
    readonly batchSize: number;
    readonly trainable?: Trainable | undefined;
    readonly frozenInputs?: readonly string[] | undefined;
    /** Whether there is nothing to do with a model that has none. @defaultValue true */
    readonly needsParameters?: boolean;
    readonly heads: readonly HeadRead[];
  },
): PreparedModel {
  const { batchSize, trainable = "all", frozenInputs = [], needsParameters = true } = options;
  if (!Number.isSafeInteger(batchSize) || batchSize < 1 || batchSize > MAX_BATCH_SIZE) {
    throw new RangeError(`batchSize must be an integer from 1 to ${MAX_BATCH_SIZE}, got ${batchSize}`);
  }
  const decoded = decodeModel(bytes);
  checkNames(decoded.graph);
  const constant = withGraph(decoded, constantsToInitializers(decoded.graph));
  const sorted = withGraph(constant, { ...constant.graph, nodes: sortNodes(constant.graph) });
  const parameters = trainableInitializers(sorted, trainable);
  if (trainable === "all") checkNotQuantized(sorted.graph);
  if (parameters.length === 0 && needsParameters) {
    throw failure("onnx/nothing-trainable", "onnx: no float32 parameters; are the weights in the file?");
  }
  const trained = new Set(parameters.map(({ name }) => name));
  const frozen = trainableInitializers(sorted, frozenInputs).filter(({ name }) => !trained.has(name));
  const inputs = fedInputs(sorted.graph, batchSize);
  const upgraded = upgradeModel(withGraph(sorted, withoutUnreadMasks(sorted.graph)));
  const pooled = withGraph(upgraded, poolFirst(upgraded.graph));
  const rebatched = withGraph(pooled, rebatch(pooled, inputs, batchSize));
  const shapes = Object.fromEntries(inputs.map(({ name, shape }) => [name, shape]));
  const folded = withGraph(rebatched, foldShapeValues(rebatched.graph, inferShapes(rebatched, shapes)));
  const settled = withGraph(folded, withoutFullLengths(folded.graph, inferShapes(folded, shapes)));
  const forms = trainingForms(settled.graph, inferShapes(settled, shapes), {
    ...options,
    batchSize,
    parameters: trained,
  });
  const facts = inferShapes(withGraph(settled, withFedForms(forms, batchSize)), shapes);
  const heads = options.heads.map((read) => findLogits(forms.graph, facts, batchSize, read));
  const kept = heads.flatMap((head) => (head === undefined ? [] : [head.logits]));
  const graph = eliminateDeadCode({
    ...forms.graph,
    outputs: [...kept, ...forms.statistics.values()].map((name): ValueInfo => ({
      name,
      elementType: "float32",
      shape: facts.get(name)?.shape,
    })),
  });
  const read = new Set(graph.nodes.flatMap(readsOf));
  return {
    opset: opsetOf(folded),
    irVersion: Math.min(Math.max(decoded.irVersion, 8), NEWEST_IR),
    graph,
    facts,
    inputs,
    heads,
    parameters: parameters.map(({ name, dims }): PreparedParameter => {
      const moved = forms.statistics.get(name);
      return { name, shape: dims, ...(moved === undefined ? {} : { moved }) };
    }),
    frozen: frozen.map(({ name, dims }) => ({ name, shape: dims })),
    dropouts: forms.dropouts.filter(({ input }) => read.has(input)),
  };
}

/** The graph with what its training forms are fed besides examples. */
function withFedForms({ graph, dropouts }: TrainingForms, batchSize: number): Graph {
  const fed = [{ input: SAMPLE_WEIGHTS, shape: [batchSize] }, ...dropouts].map(
    ({ input, shape }): ValueInfo => ({ name: input, elementType: "float32", shape }),
  );
  return { ...graph, inputs: [...graph.inputs, ...fed] };
}

/** Recurrent layers whose sequences all have full length do not need to be told so. */
function withoutFullLengths(graph: Graph, facts: ShapeTable): Graph {
  const constants = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  const nodes = graph.nodes.map((node): Node => {
    if (node.domain !== "" || !["GRU", "LSTM", "RNN"].includes(node.opType)) return node;
    const lengths = constants.get(node.inputs[4] ?? "");
    const values = lengths && integerValues(lengths);
    const steps = facts.get(node.inputs[0]!)?.shape?.[intAttribute(node, "layout", 0) === 0 ? 0 : 1];
    const isFull = values?.every((length) => length === steps) === true;
    return isFull ? { ...node, inputs: node.inputs.with(4, "") } : node;
  });
  return { ...graph, nodes };
}

/** Integers cannot take small steps. */
function checkNotQuantized(graph: Graph): void {
  const weights = weightNames(graph);
  const integers = new Map(
    graph.initializers.flatMap(({ name, elementType }) =>
      weights.has(name) && elementType !== "float32" ? [[name, elementType] as const] : [],
    ),
  );
  for (const node of graph.nodes) {
    const name = node.inputs[0] ?? "";
    if (node.domain !== "" || node.opType !== "DequantizeLinear" || !integers.has(name)) continue;
    throw failure(
      "onnx/nothing-trainable",
      `onnx: the weight "${name}" of ${nodeLabel(node)} is ${integers.get(name)}, and integers cannot be trained; train the float model that it was quantized from and quantize the result, or name the float32 parameters to train`,
    );
  }
}

function withGraph(model: Model, graph: Graph): Model {
  return { ...model, graph };
}

function checkNames(graph: Graph): void {
  const seen = new Set<string>();
  for (const { name } of graph.initializers) {
    if (seen.has(name)) throw failure("onnx/invalid-model", `onnx: two initializers are called "${name}"`);
    seen.add(name);
  }
  const names = [
    ...graph.inputs.map(({ name }) => name),
    ...seen,
    ...graph.nodes.flatMap(({ outputs, name }) => [...outputs, name]),
  ];
  const reserved = names.find((name) => name.startsWith(RESERVED_PREFIX));
  if (reserved !== undefined) {
    throw failure(
      "onnx/invalid-model",
      `onnx: "${reserved}" begins with ${RESERVED_PREFIX}, which is kept for what is added; is this a training graph already?`,
    );
  }
}

/** Old exporters name the mask of every Dropout, though nothing reads it. */
function withoutUnreadMasks(graph: Graph): Graph {
  const read = new Set([...graph.nodes.flatMap(readsOf), ...graph.outputs.map(({ name }) => name)]);
  const nodes = graph.nodes.map((node): Node => {
    const mask = node.opType === "Dropout" ? node.outputs[1] : undefined;
    return mask === undefined || read.has(mask) ? node : { ...node, outputs: node.outputs.slice(0, 1) };
  });
  return { ...graph, nodes };
}

/** Operators that a loss takes in, by its head. */
const HEADS: { readonly [Head in LossHead]: ReadonlySet<string> } = {
  softmax: new Set(["Identity", "LogSoftmax", "Softmax"]),
  sigmoid: new Set(["Identity", "Sigmoid"]),
  none: new Set(["Identity"]),
};

/** From the output named, or the first that the loss fits, back through the softmax or sigmoid that is fused with it. */
function findLogits(
  graph: Graph,
  facts: ShapeTable,
  batchSize: number,
  { output: wanted, head, ifThere }: HeadRead,
): PreparedHead | undefined {
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const fits = (shape: readonly number[]): boolean =>
    head !== "softmax" || (shape.length === 2 && shape[1]! >= 2 && shape[1]! <= MAX_CLASSES);
  for (const { name } of graph.outputs) {
    if (wanted !== undefined && name !== wanted) continue;
    const shape = staticShape(facts.get(name));
    if (shape === undefined || shape[0] !== batchSize || !fits(shape)) continue;
    let logits = name;
    for (;;) {
      const maker = makers.get(logits);
      if (maker === undefined || maker.domain !== "" || !HEADS[head].has(maker.opType)) break;
      logits = maker.inputs[0]!;
    }
    return { output: name, logits, shape };
  }
  if (ifThere === true && !graph.outputs.some(({ name }) => name === wanted)) return undefined;
  const outputs = graph.outputs.map(({ name }) => `"${name}" ${shapeText(facts.get(name)?.shape)}`);
  const needed =
    head === "softmax"
      ? `[${batchSize},classes], two classes at least, to put a softmax loss on`
      : `[${batchSize},…] to put a loss on`;
  const called = wanted === undefined ? "" : ` called "${wanted}"`;
  throw failure(
    "onnx/unsupported-graph",
    `onnx: no output${called} of shape ${needed}; there is ${outputs.join(", ")}`,
  );
}
