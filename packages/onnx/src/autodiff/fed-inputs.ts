import { failure } from "@tributary/core";
import type { ShapeTable } from "../ir/fact.ts";
import { shapeText } from "../ir/fact.ts";
import { RESERVED_PREFIX } from "../ir/graph-builder.ts";
import type { Graph, Model, Node, TensorValue, ValueInfo } from "../ir/model.ts";
import { inferShapes } from "../ir/shapes.ts";
import { int64Tensor, integerValues } from "../ir/tensor-value.ts";
import type { GraphPort } from "./build-spec.ts";

/** Element types of inputs that examples can be kept in. */
const FED = ["bool", "float16", "float32", "float64", "int8", "int32", "int64", "uint8"] as const;

/**
 * What a graph is fed of an example, in the file's order, with the batch as the first axis of each. Files of IR
 * version 3 list initializers among the inputs; those are not fed.
 * Errors: `onnx/unsupported-graph` (none, or of another element type), `onnx/unknown-shape`.
 */
export function fedInputs(graph: Graph, batchSize: number): readonly [GraphPort, ...GraphPort[]] {
  const constants = new Set(graph.initializers.map(({ name }) => name));
  const inputs = graph.inputs.filter(({ name }) => !constants.has(name));
  const [first, ...others] = inputs;
  if (first === undefined) {
    throw failure(
      "onnx/unsupported-graph",
      "onnx: the model has no input that examples could be fed to; export it with its data as an input",
    );
  }
  return [fedPort(first, batchSize), ...others.map((input) => fedPort(input, batchSize))];
}

function fedPort(input: ValueInfo, batchSize: number): GraphPort {
  const dtype = FED.find((type) => type === input.elementType);
  if (dtype === undefined) {
    throw failure(
      "onnx/unsupported-graph",
      `onnx: input "${input.name}" is ${input.elementType}; training feeds ${FED.join(", ")}, so cast inside the model`,
    );
  }
  return { name: input.name, dtype, shape: batchedShape(input, batchSize) };
}

function batchedShape({ name, shape }: ValueInfo, batchSize: number): readonly number[] {
  const [, ...rest] = shape ?? [];
  if (shape === undefined || shape.length === 0 || !rest.every((dim) => typeof dim === "number")) {
    throw failure(
      "onnx/unknown-shape",
      `onnx: input "${name}" has the shape ${shapeText(shape)}; the first axis must be the batch, and only that may be dynamic`,
    );
  }
  return [batchSize, ...(rest as number[])];
}

/**
 * Models exported with a fixed batch carry it in the targets of their Reshapes. Where the declared
 * shapes agree with that, the entry becomes -1.
 */
export function rebatch(model: Model, inputs: readonly GraphPort[], batchSize: number): Graph {
  const { graph } = model;
  const fed = new Set(inputs.map(({ name }) => name));
  const before = new Set(graph.inputs.flatMap(({ name, shape }) => (fed.has(name) ? [shape?.[0]] : [])));
  const fixed = [...before].filter((dim): dim is number => typeof dim === "number" && dim !== batchSize);
  if (fixed.length === 0) return graph;
  const facts: ShapeTable = inferShapes(model);
  const constants = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  const added: TensorValue[] = [];
  const nodes = graph.nodes.map((node): Node => {
    const target = node.opType === "Reshape" ? constants.get(node.inputs[1] ?? "") : undefined;
    const values = target && integerValues(target);
    const from = facts.get(node.inputs[0] ?? "")?.shape?.[0];
    const [first] = values ?? [];
    if (values === undefined || first === undefined || !fixed.includes(first)) return node;
    if (from !== first || values.includes(-1)) return node;
    // A constant that is reshaped (a weight) has no batch.
    if (constants.has(node.inputs[0] ?? "")) return node;
    const name = `${RESERVED_PREFIX}rebatch.${added.length}`;
    added.push(int64Tensor(name, [values.length], [-1, ...values.slice(1)]));
    return { ...node, inputs: [node.inputs[0]!, name] };
  });
  return { ...graph, nodes, initializers: [...graph.initializers, ...added] };
}
