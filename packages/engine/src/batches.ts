/** Labelled examples as the feeds of training and evaluation graphs. */
import { failure } from "@tributary/core";
import type { EvaluationGraphDocument, GraphPort, TrainingGraphDocument } from "@tributary/protocol";
import { elementCount, tensor, type Tensor } from "@tributary/tensor";

/** One example. */
export interface LabelledValues {
  /** Values of all inputs, one after the other. Bytes are read as value / 255 where an input is float32. */
  readonly features: Float32Array | Uint8Array;
  /** A class, or the values of all labels, one after the other. */
  readonly label: number | Float32Array;
}

/** What one run takes of the examples. */
export interface ExampleRun {
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** Examples in it; rows beyond are zeros of weight 0. */
  readonly count: number;
  /** Batches they fill, the last one perhaps in part. */
  readonly steps: number;
}

type FedGraph = TrainingGraphDocument | EvaluationGraphDocument;

/** Values of one example over all of a graph's inputs, and over all of its labels. */
export function exampleSizes(graph: FedGraph): { readonly features: number; readonly labels: number } {
  const { inputs, labels } = fieldsOf(graph);
  const total = (fields: readonly Field[]): number => fields.reduce((sum, { size }) => sum + size, 0);
  return { features: total(inputs), labels: total(labels) };
}

/**
 * One pass over the examples in the given order, in runs of as many batches as the graph takes; `maxSteps` makes them
 * shorter. Each run has memory of its own.
 * @throws `runtime/invalid-example` for an example that the graph does not fit
 */
export function* exampleRuns(
  graph: FedGraph,
  example: (index: number) => LabelledValues,
  order: readonly number[],
  maxSteps = Number.POSITIVE_INFINITY,
): Generator<ExampleRun> {
  const { inputs, labels } = fieldsOf(graph);
  const loop = graph.kind === "train" ? graph.loop : undefined;
  const rows = graph.batchSize * (loop?.maxSteps ?? 1);
  const taken = graph.batchSize * Math.min(loop?.maxSteps ?? 1, maxSteps);
  const sizes = exampleSizes(graph);
  for (let start = 0; start < order.length; start += taken) {
    const count = Math.min(taken, order.length - start);
    const tensors = new Map(
      [...inputs, ...labels].map((field): [Field, Tensor] => [field, emptyTensor(field, rows)]),
    );
    const weights = new Float32Array(rows);
    for (let row = 0; row < count; row++) {
      const { features, label } = example(order[start + row]!);
      checkLength("values", features.length, sizes.features);
      fillRow(tensors, inputs, row, features, features instanceof Uint8Array);
      const values = typeof label === "number" ? [label] : label;
      checkLength("labels", values.length, sizes.labels);
      fillRow(tensors, labels, row, values, false);
      weights[row] = 1;
    }
    const steps = Math.ceil(count / graph.batchSize);
    const feeds: Record<string, Tensor> = {};
    for (const [{ port }, value] of tensors) feeds[port.name] = value;
    feeds[graph.sampleWeights.name] = tensor("float32", [...graph.sampleWeights.shape], weights);
    if (loop !== undefined) {
      feeds[loop.steps.name] = tensor("int64", [], BigInt64Array.of(BigInt(steps)));
    }
    yield { feeds, count, steps };
  }
}

/** A port, and the values that one example has of it. */
interface Field {
  readonly port: GraphPort;
  readonly size: number;
}

function fieldsOf(graph: FedGraph): { readonly inputs: readonly Field[]; readonly labels: readonly Field[] } {
  const leading = graph.kind === "train" && graph.loop !== undefined ? 2 : 1;
  const field = (port: GraphPort): Field => ({ port, size: elementCount(port.shape.slice(leading)) });
  return {
    inputs: (graph.inputs ?? [graph.features]).map(field),
    labels: [graph.labels, ...(graph.moreLabels ?? [])].map(field),
  };
}

function emptyTensor({ port, size }: Field, rows: number): Tensor {
  const length = rows * size;
  const shape = [...port.shape];
  switch (port.dtype) {
    case "float32":
      return tensor("float32", shape, new Float32Array(length));
    case "int32":
      return tensor("int32", shape, new Int32Array(length));
    case "int64":
      return tensor("int64", shape, new BigInt64Array(length));
    case "bool":
      return tensor("bool", shape, new Uint8Array(length));
    default:
      throw failure(
        "engine/unsupported-dtype",
        `learner: "${port.name}" is ${port.dtype}; examples are float32, int32, int64 or bool`,
        { detail: { port: port.name, dtype: port.dtype } },
      );
  }
}

function fillRow(
  tensors: ReadonlyMap<Field, Tensor>,
  fields: readonly Field[],
  row: number,
  values: ArrayLike<number>,
  areBytes: boolean,
): void {
  let at = 0;
  for (const field of fields) {
    const { data, dtype } = tensors.get(field)!;
    const offset = row * field.size;
    for (let i = 0; i < field.size; i++) {
      const value = values[at + i]!;
      if (data instanceof Float32Array) data[offset + i] = areBytes ? value / 255 : value;
      else if (!Number.isInteger(value)) throw notWhole(field.port, value);
      else if (data instanceof BigInt64Array) data[offset + i] = BigInt(value);
      else (data as Int32Array | Uint8Array)[offset + i] = dtype === "bool" ? Number(value !== 0) : value;
    }
    at += field.size;
  }
}

function checkLength(what: string, got: number, expected: number): void {
  if (got === expected) return;
  throw failure(
    "runtime/invalid-example",
    `learner: an example has ${got} ${what}, the task takes ${expected}`,
    { detail: { what, expected, got } },
  );
}

function notWhole({ name, dtype }: GraphPort, got: number): Error {
  return failure("runtime/invalid-example", `learner: "${name}" is ${dtype}, an example has ${got}`, {
    detail: { port: name, dtype, got: String(got) },
  });
}
