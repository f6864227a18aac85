import { TributaryError } from "@tributary/core";
import { dependents } from "./autodiff/gradient-graph.ts";
import { fittingLossOf } from "./autodiff/fitting-loss.ts";
import type { LossName } from "./autodiff/loss-options.ts";
import { FLAT_OPS, isDifferentiable } from "./autodiff/rules/index.ts";
import { buildTrainingGraph } from "./autodiff/training-graph.ts";
import { decodeModel } from "./ir/decode.ts";
import type { ElementType } from "./ir/element-type.ts";
import type { FlopCount } from "./ir/flops.ts";
import { countFlops } from "./ir/flops.ts";
import { constantsToInitializers } from "./ir/fold-constants.ts";
import { sortNodes } from "./ir/graph-order.ts";
import type { Dim, Graph, Model, Node, ValueInfo } from "./ir/model.ts";
import { trainableInitializers } from "./ir/parameters.ts";
import { inferShapes } from "./ir/shapes.ts";
import { opsetOf } from "./ir/upgrade.ts";
import type { Obstacle } from "./trainability.ts";
import { trainability } from "./trainability.ts";

export interface ValueDescription {
  readonly name: string;
  readonly elementType: ElementType;
  /** Sizes and names of sizes, "" where unknown; undefined without even a rank. */
  readonly shape: readonly Dim[] | undefined;
}

export interface ParameterDescription {
  readonly name: string;
  readonly elementType: ElementType;
  readonly shape: readonly number[];
  readonly count: number;
}

export interface DescribeOptions {
  /** The loss that training is tried with. @defaultValue the one that its first output looks made for */
  readonly loss?: LossName;
}

/** What one wants to know of a model before publishing it. */
export interface ModelDescription {
  readonly producer: string;
  readonly irVersion: number;
  readonly opset: number;
  /** Operator sets besides the default one. */
  readonly otherDomains: Readonly<Record<string, number>>;
  /** Without those that are only defaults of initializers. */
  readonly inputs: readonly ValueDescription[];
  readonly outputs: readonly ValueDescription[];
  readonly parameters: readonly ParameterDescription[];
  readonly parameterCount: number;
  /** Of one run, sizes that the file leaves open taken as 1; undefined where shapes contradict each other. */
  readonly flops: FlopCount | undefined;
  /** Names of the parameters that gradients reach. */
  readonly trainableParameters: readonly string[];
  /** The nodes that keep the other parameters from it, and what to do. */
  readonly obstacles: readonly Obstacle[];
  /** Nodes by operator, most frequent first. */
  readonly ops: Readonly<Record<string, number>>;
  readonly trainable: boolean;
  /** The loss that training was tried with. */
  readonly loss: LossName;
  /** Why not, one sentence each. */
  readonly reasons: readonly string[];
}

/** Describes a model file. Errors: those of decodeModel; anything else becomes a reason. */
export function describeModel(bytes: Uint8Array, options: DescribeOptions = {}): ModelDescription {
  const read = decodeModel(bytes);
  const model = { ...read, graph: constantsToInitializers(read.graph) };
  const { graph } = model;
  const constants = new Set(graph.initializers.map(({ name }) => name));
  const inputs = graph.inputs.filter(({ name }) => !constants.has(name));
  const parameters = trainableInitializers(model).map(({ name, elementType, dims }) => ({
    name,
    elementType,
    shape: dims,
    count: dims.reduce((product, dim) => product * dim, 1),
  }));
  const loss = options.loss ?? attempt(() => fittingLossOf(model)) ?? "softmax-cross-entropy";
  const error = attemptTraining(bytes, inputs, loss);
  const reasons = error === undefined ? [] : reasonsAgainst(model, error);
  const nodes = sortedOrAsTheyAre(graph);
  const { trainable, obstacles } = trainability(
    nodes,
    parameters.map(({ name }) => name),
  );
  return {
    producer: [model.producerName, model.producerVersion].filter((text) => text !== "").join(" "),
    irVersion: model.irVersion,
    opset: opsetOf(model),
    otherDomains: Object.fromEntries(
      model.opsetImports
        .filter(({ domain }) => domain !== "")
        .map(({ domain, version }) => [domain, version]),
    ),
    inputs: inputs.map(valueDescription),
    outputs: graph.outputs.map(valueDescription),
    parameters,
    parameterCount: parameters.reduce((sum, { count }) => sum + count, 0),
    flops: flopsOf(model, inputs),
    trainableParameters: trainable,
    obstacles,
    ops: histogram(read.graph),
    trainable: reasons.length === 0,
    loss,
    reasons,
  };
}

/** Files that cannot be sorted have their reason elsewhere. */
function sortedOrAsTheyAre(graph: Graph): readonly Node[] {
  return attempt(() => sortNodes(graph)) ?? graph.nodes;
}

function flopsOf(model: Model, inputs: readonly ValueInfo[]): FlopCount | undefined {
  const shapes = inputs.flatMap(({ name, shape }): [string, number[]][] =>
    shape === undefined ? [] : [[name, shape.map((dim) => (typeof dim === "number" ? dim : 1))]],
  );
  return attempt(() => {
    const nodes = sortNodes(model.graph);
    const sorted = { ...model, graph: { ...model.graph, nodes } };
    return countFlops(nodes, inferShapes(sorted, Object.fromEntries(shapes)));
  });
}

/** undefined where the file itself is at fault. */
function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (!TributaryError.is(error) && !(error instanceof RangeError)) throw error;
    return undefined;
  }
}

function valueDescription({ name, elementType, shape }: ValueInfo): ValueDescription {
  return { name, elementType, shape };
}

function histogram({ nodes }: Graph): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { opType, domain } of nodes) {
    const key = domain === "" ? opType : `${domain}.${opType}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].toSorted(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)));
}

function attemptTraining(bytes: Uint8Array, inputs: readonly ValueInfo[], loss: LossName): Error | undefined {
  const declared = inputs[0]?.shape?.[0];
  const batchSize = typeof declared === "number" && declared >= 1 ? declared : 2;
  try {
    buildTrainingGraph(bytes, { batchSize, loss, optimizer: "sgd", target: "cpu" });
    return undefined;
  } catch (error) {
    if (!TributaryError.is(error) && !(error instanceof RangeError)) throw error;
    return error;
  }
}

/** All operators in the way at once; else what building the training graph complained of. */
function reasonsAgainst(model: Model, error: Error): string[] {
  const { graph } = model;
  const wanted = new Set(trainableInitializers(model).map(({ name }) => name));
  const reached = dependents(graph.nodes, wanted);
  const obstacles = new Set<string>();
  for (const { opType, domain, inputs: read } of graph.nodes) {
    if (!read.some((name) => reached.has(name))) continue;
    const known = domain === "" && (isDifferentiable(opType) || FLAT_OPS.has(opType));
    if (!known) obstacles.add(domain === "" ? opType : `${domain}.${opType}`);
  }
  const rules = [...obstacles].map((op) => `${op} has no gradient rule`);
  return rules.length > 0 ? rules : [error.message];
}
