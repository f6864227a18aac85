import { attributesOf, floatAttribute, intAttribute } from "../ir/attributes.ts";
import { decodeModel } from "../ir/decode.ts";
import { encodeModel } from "../ir/encode.ts";
import type { Attribute, Node } from "../ir/model.ts";
import { factorShapes } from "./adapted-operator.ts";
import type { AdapterEntry } from "./adapter-list.ts";
import { ADAPTERS_KEY, adapterValues, scaleName, trainedFactors, writeAdapterList } from "./adapter-list.ts";
import type { LowRankOptions } from "./choose-adapters.ts";
import { chooseAdapters } from "./choose-adapters.ts";

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
  const decoded = decodeModel(model);
  const { graph } = decoded;
  const { entries, weights, factors } = chooseAdapters(decoded, options);
  const { rank } = options;
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
