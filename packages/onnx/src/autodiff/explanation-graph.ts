import { failure } from "@tributary/core";
import { encodeModel } from "../ir/encode.ts";
import { GraphBuilder, RESERVED_PREFIX } from "../ir/graph-builder.ts";
import { eliminateDeadCode } from "../ir/graph-order.ts";
import type { ValueInfo } from "../ir/model.ts";
import { PARAMETERS_KEY, writeParameterList } from "../parameter-list.ts";
import type { GraphPort } from "./build-spec.ts";
import { appendGradients } from "./gradient-graph.ts";
import { appendLowered } from "./lower.ts";
import { prepareModel } from "./prepare.ts";

export interface ExplanationGraphOptions {
  /** Rows of one run. Their gradients do not mix, as the score is a sum over rows. */
  readonly batchSize: number;
  /** The output whose score is explained. @defaultValue the first float32 output that begins with the batch */
  readonly output?: string;
  /** Parameters that are left out of the graph, in their order; bindWeights puts them back. @defaultValue none */
  readonly parameters?: readonly string[];
}

/** How an explanation graph is fed and read. */
export interface ExplanationGraphSpec {
  readonly batchSize: number;
  /** What is fed of each row, [batchSize, …]. */
  readonly inputs: readonly GraphPort[];
  readonly output: string;
  /** float32, the output's shape: how much each of its values counts in a row's score. */
  readonly weights: GraphPort;
  /** Output [batchSize] float32: of each row, the sum of weights times outputs. */
  readonly score: string;
  /** Of each float32 input, the output of its shape that holds the scores' gradient. */
  readonly gradients: readonly { readonly input: string; readonly output: string }[];
}

export interface ExplanationGraph {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly spec: ExplanationGraphSpec;
}

/** Key of the metadata entry that says how the graph is fed and read: the spec, as JSON. */
export const EXPLANATION_KEY = "tributary.explanation";

const WEIGHTS = `${RESERVED_PREFIX}weights`;
const SCORE = `${RESERVED_PREFIX}score`;

/**
 * The gradient of a score with respect to what goes into a model: what saliency (Simonyan, Vedaldi, Zisserman 2014) and integrated
 * gradients (Sundararajan, Taly, Yan 2017) read. The score of a row is a weighted sum of one output's values; weights of 1 and 0 pick
 * the class to explain. The output is taken as the model gives it. Same model and options, same bytes.
 *
 * @throws any `onnx/*`: `onnx/no-gradient` where an operator on the way has no gradient, or no input is float32
 */
export function buildExplanationGraph(model: Uint8Array, options: ExplanationGraphOptions): ExplanationGraph {
  const { batchSize, output, parameters: left = [] } = options;
  const prepared = prepareModel(model, {
    purpose: "evaluate",
    batchSize,
    trainable: left,
    needsParameters: false,
    heads: [{ output, head: "none" }],
  });
  const head = prepared.heads[0]!;
  const inputs = prepared.inputs.filter(({ dtype }) => dtype === "float32");
  if (inputs.length === 0) {
    throw failure("onnx/no-gradient", "onnx: none of the model's inputs is float32, so none has a gradient");
  }
  const builder = new GraphBuilder(prepared.facts);
  for (const node of prepared.graph.nodes) appendLowered(builder, node, "cpu");
  const weights: GraphPort = { name: WEIGHTS, dtype: "float32", shape: head.shape };
  builder.declare(WEIGHTS, { elementType: "float32", shape: head.shape });
  const value = builder.reshape(head.logits, head.shape);
  const weighted = builder.op("Mul", [value, WEIGHTS]);
  const axes = head.shape.slice(1).map((_, axis) => axis + 1);
  if (axes.length === 0) builder.op("Identity", [weighted], {}, SCORE);
  else builder.op("ReduceSum", [weighted, builder.int64s(axes)], { keepdims: 0 }, SCORE);
  const seed = builder.reshape(WEIGHTS, builder.shape(head.logits));
  const wanted = new Set(inputs.map(({ name }) => name));
  const found = appendGradients(
    builder,
    prepared.graph.nodes,
    { value: head.logits, gradient: seed },
    wanted,
    "cpu",
  );
  const gradients = inputs.map(({ name }) => ({ input: name, output: `${RESERVED_PREFIX}gradient.${name}` }));
  for (const { input, output: result } of gradients) {
    const gradient = found.get(input);
    // What the output does not depend on changes nothing.
    if (gradient === undefined) builder.op("Mul", [input, builder.float(0)], {}, result);
    else builder.op("Identity", [gradient], {}, result);
  }
  const spec: ExplanationGraphSpec = {
    batchSize,
    inputs: prepared.inputs,
    output: head.output,
    weights,
    score: SCORE,
    gradients,
  };
  const taken = new Set(prepared.parameters.map(({ name }) => name));
  const float32 = (name: string, shape: readonly number[]): ValueInfo => ({
    name,
    elementType: "float32",
    shape,
  });
  const graph = eliminateDeadCode({
    name: prepared.graph.name,
    nodes: builder.nodes,
    initializers: [
      ...prepared.graph.initializers.filter(({ name }) => !taken.has(name)),
      ...builder.initializers,
    ],
    inputs: [
      ...prepared.inputs.map(({ name, dtype, shape }): ValueInfo => ({ name, elementType: dtype, shape })),
      float32(weights.name, weights.shape),
    ],
    outputs: [
      float32(SCORE, [batchSize]),
      ...gradients.map(({ output: result }, i) => float32(result, inputs[i]!.shape)),
    ],
    valueInfo: [],
  });
  const list = prepared.parameters.map(({ name, shape }) => ({ name, shape: [...shape] }));
  return {
    model: encodeModel({
      irVersion: prepared.irVersion,
      producerName: "tributary",
      producerVersion: "",
      domain: "",
      modelVersion: 0,
      opsetImports: [{ domain: "", version: prepared.opset }],
      metadata: [
        { key: PARAMETERS_KEY, value: writeParameterList(list) },
        { key: EXPLANATION_KEY, value: JSON.stringify(spec) },
      ],
      graph,
    }),
    spec,
  };
}
