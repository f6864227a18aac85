import { failure, seededRandom } from "@tributary/core";
import type { Model, Node, TensorValue } from "../ir/model.ts";
import { matchesOf } from "../ir/parameters.ts";
import { floatTensor } from "../ir/tensor-value.ts";
import type { FactorShapes } from "./adapted-operator.ts";
import { factorShapes } from "./adapted-operator.ts";
import type { AdapterEntry } from "./adapter-list.ts";
import { ADAPTERS_KEY, scaleName } from "./adapter-list.ts";

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

/** Where adapters go, and what they begin with. */
export interface ChosenAdapters {
  readonly entries: readonly AdapterEntry[];
  /** The model's initializers by name. */
  readonly weights: ReadonlyMap<string, TensorValue>;
  /** A, B and scale of each entry in turn. */
  readonly factors: readonly TensorValue[];
}

/** Errors: those of addLowRankAdapters. */
export function chooseAdapters(model: Model, options: LowRankOptions): ChosenAdapters {
  const { rank, alpha = rank, freezeA = true, targets = "all", seed = 0 } = options;
  if (!Number.isSafeInteger(rank) || rank < 1) {
    throw new RangeError(`rank must be an integer of at least 1, got ${rank}`);
  }
  if (!(alpha > 0 && Number.isFinite(alpha))) throw new RangeError(`alpha must be above 0, got ${alpha}`);
  if (model.metadata.some(({ key }) => key === ADAPTERS_KEY)) {
    throw failure("onnx/invalid-model", "onnx: the model has adapters already; merge them first");
  }
  const { graph } = model;
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
  return { entries, weights, factors };
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
