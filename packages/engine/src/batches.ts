/** Labelled examples as the feeds of training and evaluation graphs. */
import { failure } from "@tributary/core";
import type { EvaluationGraphDocument, GraphPort, TrainingGraphDocument } from "@tributary/protocol";
import { allocate, elementCount, tensor, type Tensor, type TensorData } from "@tributary/tensor";
import { writeValues, type PortValues } from "./port-values.ts";

/** One example. */
export interface LabelledValues {
  /** Values of each input, in the model's order. Bytes are read as value / 255 where an input holds floats. */
  readonly inputs: readonly TensorData[];
  readonly label: ExampleLabel;
}

/** What is to be learned of an example: of the only label, or by the names of the outputs (or a loss graph's inputs). */
export type ExampleLabel = LabelValues | Readonly<Record<string, LabelValues>>;

/** A class, or numbers. Where labels have no names, the numbers of all, one label after the other. */
export type LabelValues = number | Float32Array;

/** What one run takes of the examples. */
export interface ExampleRun {
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** Examples in it; rows that fill up the last batch repeat them, with weight 0. */
  readonly count: number;
  /** Batches they fill, the last one perhaps in part. */
  readonly steps: number;
}

type FedGraph = TrainingGraphDocument | EvaluationGraphDocument;

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
  for (let start = 0; start < order.length; start += taken) {
    const count = Math.min(taken, order.length - start);
    const memory = (fields: readonly Field[]): TensorData[] =>
      fields.map(({ port, size }) => allocate(port.dtype, rows * size));
    const [inputData, labelData] = [memory(inputs), memory(labels)];
    const weights = new Float32Array(rows);
    for (let row = 0; row < count; row++) {
      const { inputs: values, label } = example(order[start + row]!);
      if (values.length !== inputs.length) throw misfit("inputs", inputs.length, values.length);
      for (const [i, field] of inputs.entries()) fillRow(field, inputData[i]!, row, values[i]!);
      const wanted = labelRows(label, labels);
      for (const [i, field] of labels.entries()) fillRow(field, labelData[i]!, row, wanted[i]!);
      weights[row] = 1;
    }
    const steps = Math.ceil(count / graph.batchSize);
    // Not zeros: a mean over an empty mask is not a number, and no weight makes one of that.
    for (let row = count; row < steps * graph.batchSize; row++) {
      for (const [i, { size }] of inputs.entries()) repeatRow(inputData[i]!, size, row % count, row);
      for (const [i, { size }] of labels.entries()) repeatRow(labelData[i]!, size, row % count, row);
    }
    const feeds: Record<string, Tensor> = {};
    for (const [fields, data] of [
      [inputs, inputData],
      [labels, labelData],
    ] as const) {
      for (const [i, { port }] of fields.entries()) {
        feeds[port.name] = tensor(port.dtype, [...port.shape], data[i]!);
      }
    }
    feeds[graph.sampleWeights.name] = tensor("float32", [...graph.sampleWeights.shape], weights);
    if (loop !== undefined) {
      feeds[loop.steps.name] = tensor("int64", [], BigInt64Array.of(BigInt(steps)));
    }
    yield { feeds, count, steps };
  }
}

/** A port, what examples call it, and the values that one example has of it. */
interface Field {
  readonly port: GraphPort;
  readonly name: string;
  readonly size: number;
}

function fieldsOf(graph: FedGraph): { readonly inputs: readonly Field[]; readonly labels: readonly Field[] } {
  const leading = graph.kind === "train" && graph.loop !== undefined ? 2 : 1;
  const field = (port: GraphPort, name = port.name): Field => ({
    port,
    name,
    size: elementCount(port.shape.slice(leading)),
  });
  return {
    inputs: (graph.inputs ?? [graph.features]).map((port) => field(port)),
    labels: [graph.labels, ...(graph.moreLabels ?? [])].map((port, i) => field(port, graph.labelNames?.[i])),
  };
}

/** The values of each label. */
function labelRows(label: ExampleLabel, fields: readonly Field[]): readonly PortValues[] {
  if (typeof label === "number" || label instanceof Float32Array) {
    const values = typeof label === "number" ? Float64Array.of(label) : label;
    const total = fields.reduce((sum, { size }) => sum + size, 0);
    if (values.length !== total) throw misfit("labels", total, values.length);
    let at = 0;
    return fields.map(({ size }) => values.subarray(at, (at += size)));
  }
  return fields.map(({ name }) => {
    const own = Object.hasOwn(label, name) ? label[name] : undefined;
    if (own !== undefined) return typeof own === "number" ? [own] : own;
    throw failure(
      "runtime/invalid-example",
      `learner: an example has no label "${name}", which the task learns; it has ${Object.keys(label).join(", ") || "none"}`,
      { detail: { label: name } },
    );
  });
}

function fillRow({ port, name, size }: Field, target: TensorData, row: number, values: PortValues): void {
  if (values.length !== size) throw misfit(`values of "${name}"`, size, values.length);
  const wrong = writeValues(port.dtype, target, row * size, values);
  if (wrong === undefined) return;
  throw failure(
    "runtime/invalid-example",
    `learner: "${name}" is ${port.dtype}, value ${wrong} of an example is ${String(values[wrong])}`,
    { detail: { port: name, dtype: port.dtype, got: String(values[wrong]) } },
  );
}

function repeatRow(data: TensorData, size: number, from: number, to: number): void {
  data.copyWithin(to * size, from * size, (from + 1) * size);
}

function misfit(what: string, expected: number, got: number): Error {
  return failure(
    "runtime/invalid-example",
    `learner: an example has ${got} ${what}, the task takes ${expected}`,
    { detail: { what, expected, got } },
  );
}
