import { failure, seededRandom } from "@tributary/core";
import { attributesOf, floatAttribute, intAttribute } from "../ir/attributes.ts";
import { decodeModel } from "../ir/decode.ts";
import { encodeModel } from "../ir/encode.ts";
import type { Attribute, Node, TensorValue } from "../ir/model.ts";
import { matchesOf } from "../ir/parameters.ts";
import { floatTensor } from "../ir/tensor-value.ts";
import type { FactorShapes } from "./adapted-operator.ts";
import { factorShapes } from "./adapted-operator.ts";
import type { AdapterEntry } from "./adapter-list.ts";
import { ADAPTERS_KEY, adapterValues, scaleName, trainedFactors, writeAdapterList } from "./adapter-list.ts";

export interface LowRankOptions {
  /**
   * Weights of MatMul, Gemm and Conv to adapt: all, those named (`*` stands for any text), or those a function picks.
   * @defaultValue "all"
   */
  readonly targets?: "all" | readonly string[] | ((name: string, shape: readonly number[]) => boolean);
  /** Columns between the two factors, an integer of at least 1; cut to what the weight itself has. */
  readonly rank: number;
  /** The adapter's part is scaled by alpha / rank. @defaultValue rank */
  readonly alpha?: number;
  /**
   * Keeps the random first factor as it is (FFA-LoRA), so that the mean of devices' updates is the update of the mean.
   * @defaultValue true
   */
  readonly freezeA?: boolean;
  /** Of the first factors. @defaultValue 0 */
  readonly seed?: string | number;
}

export interface AdaptedModel {
  /** Computes what the model did before, until the adapters are trained. */
  readonly model: Uint8Array<ArrayBuffer>;
  /** The adapters' parameters: all that buildTrainingGraph trains and splitWeights takes out, unless told otherwise. */
  readonly trainable: readonly string[];
}

/**
 * Low-rank adapters (LoRA, Hu et al. 2021, arXiv:2106.09685) beside a model's weights: B is zero and A uniform as
 * PyTorch's layers are. Only they need training and sending. {@link mergeLowRankAdapters} folds them into the weights.
 * Errors: `onnx/nothing-trainable` where a target is not such a weight, `onnx/invalid-model` where the model has
 * adapters already, those of decodeModel; RangeError on rank and alpha.
 */
export function addLowRankAdapters(model: Uint8Array, options: LowRankOptions): AdaptedModel {
  const { rank, alpha = rank, freezeA = true, targets = "all", seed = 0 } = options;
  if (!Number.isSafeInteger(rank) || rank < 1) {
    throw new RangeError(`rank must be an integer of at least 1, got ${rank}`);
  }
  if (!(alpha > 0 && Number.isFinite(alpha))) throw new RangeError(`alpha must be above 0, got ${alpha}`);
  const decoded = decodeModel(model);
  if (decoded.metadata.some(({ key }) => key === ADAPTERS_KEY)) {
    throw failure("onnx/invalid-model", "onnx: the model has adapters already; merge them first");
  }
  const { graph } = decoded;
  const weights = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  const sites = new Map<string, FactorShapes>();
  for (const node of graph.nodes) {
    const weight = weights.get(node.inputs[1] ?? "");
    const shapes = weight && siteShapes(node, weight, rank);
    if (weight === undefined || shapes === undefined) continue;
    const known = sites.get(weight.name);
    if (known !== undefined && String([known.a, known.b]) !== String([shapes.a, shapes.b])) {
      throw failure(
        "onnx/unsupported-graph",
        `onnx: "${weight.name}" is read in two layouts; one adapter does not fit both`,
      );
    }
    sites.set(weight.name, shapes);
  }
  const chosen = choose(targets, sites, weights);
  const random = seededRandom(`low-rank adapters ${seed}`);
  const factors: TensorValue[] = [];
  const entries = chosen.map((weight): AdapterEntry => {
    const { a, b, fanIn } = sites.get(weight)!;
    const entry: AdapterEntry = {
      weight,
      a: `${weight}.lora_a`,
      b: `${weight}.lora_b`,
      scaling: alpha / rank,
      frozenA: freezeA,
    };
    for (const name of [entry.a, entry.b, scaleName(entry)]) {
      if (weights.has(name)) throw failure("onnx/invalid-model", `onnx: "${name}" is taken`);
    }
    const own = random.fork(weight);
    const bound = 1 / Math.sqrt(fanIn);
    const start = Array.from({ length: lengthOf(a) }, () => bound * (2 * own.next() - 1));
    factors.push(
      floatTensor(entry.a, a, start),
      floatTensor(entry.b, b, new Float32Array(lengthOf(b))),
      floatTensor(scaleName(entry), [], [entry.scaling]),
    );
    return entry;
  });
  const byWeight = new Map(entries.map((entry) => [entry.weight, entry]));
  const nodes = graph.nodes.flatMap((node) => {
    const entry = byWeight.get(node.inputs[1] ?? "");
    return entry === undefined || factorShapes(node, weights.get(entry.weight)!.dims, rank) === undefined
      ? [node]
      : adapted(node, entry);
  });
  return {
    model: encodeModel({
      ...decoded,
      metadata: [...decoded.metadata, { key: ADAPTERS_KEY, value: writeAdapterList(entries) }],
      graph: { ...graph, nodes, initializers: [...graph.initializers, ...factors] },
    }),
    trainable: trainedFactors(entries),
  };
}

function lengthOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function siteShapes(node: Node, weight: TensorValue, rank: number): FactorShapes | undefined {
  if (weight.elementType !== "float32") return undefined;
  const shapes = factorShapes(node, weight.dims, rank);
  return shapes === undefined || rank <= shapes.maxRank
    ? shapes
    : factorShapes(node, weight.dims, Math.max(1, Math.floor(shapes.maxRank)));
}

function choose(
  targets: NonNullable<LowRankOptions["targets"]>,
  sites: ReadonlyMap<string, FactorShapes>,
  weights: ReadonlyMap<string, TensorValue>,
): string[] {
  const names = [...sites.keys()];
  if (targets === "all") return orFail(names, names, "any weight");
  if (typeof targets === "function") {
    return orFail(
      names.filter((name) => targets(name, weights.get(name)!.dims)),
      names,
      "what the targets pick",
    );
  }
  const wanted = new Set(
    targets.flatMap((pattern) => orFail(matchesOf(pattern, names), names, `"${pattern}"`)),
  );
  return names.filter((name) => wanted.has(name));
}

function orFail(chosen: readonly string[], names: readonly string[], what: string): string[] {
  if (chosen.length > 0) return [...chosen];
  throw failure(
    "onnx/nothing-trainable",
    `onnx: no weight of a MatMul, Gemm or Conv fits ${what}; there are ${names.join(", ") || "none"}`,
  );
}

/** The node with an adapter beside it; the output's name is that of the sum. */
function adapted(node: Node, entry: AdapterEntry): Node[] {
  const [output] = node.outputs as readonly [string];
  const [x] = node.inputs as readonly [string];
  const { base, hidden, part, scaled } = adapterValues(output);
  const make = (
    opType: string,
    inputs: readonly string[],
    made: string,
    attributes: ReadonlyMap<string, Attribute> = new Map(),
  ): Node => ({ name: `${made}.lora`, opType, domain: "", inputs, outputs: [made], attributes });
  const before = { ...node, outputs: [base] };
  if (node.opType === "Gemm") {
    const [transA, transB] = [intAttribute(node, "transA", 0), intAttribute(node, "transB", 0)];
    const alpha = { float: entry.scaling * floatAttribute(node, "alpha", 1) };
    return [
      before,
      make("Gemm", [x, entry.a], hidden, attributesOf({ transA, transB })),
      make("Gemm", [hidden, entry.b, base], output, attributesOf({ transB, alpha })),
    ];
  }
  const group = intAttribute(node, "group", 1);
  const isConv = node.opType === "Conv";
  return [
    before,
    make(node.opType, [x, entry.a], hidden, node.attributes),
    make(node.opType, [hidden, entry.b], part, isConv ? attributesOf({ group }) : new Map()),
    make("Mul", [part, scaleName(entry)], scaled),
    make("Add", [base, scaled], output),
  ];
}
