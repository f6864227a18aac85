/** Weights measured on examples that nothing was learned from. */
import { failure } from "@tributary/core";
import type { EvaluationGraphDocument } from "@tributary/protocol";
import { elementCount, tensor } from "@tributary/tensor";
import { exampleRuns } from "./batches.ts";
import type { Feeds, Session } from "./engine.ts";
import { exampleOf, inputColumns, type ExampleTable } from "./examples.ts";

export interface EvaluationResult {
  /** Mean over the examples. */
  readonly loss: number;
  /** null where the loss knows no hits */
  readonly accuracy: number | null;
  /** By the metric's name: means over the examples; tables, such as a confusion's, as sums over them. */
  readonly metrics: Readonly<Record<string, readonly number[]>>;
  readonly examples: number;
}

/** Sums over examples; those of several parts of a data set add up. */
export interface EvaluationSums {
  readonly examples: number;
  /** By name: "loss", "accuracy" and the graph's metrics. */
  readonly sums: ReadonlyMap<string, Float64Array>;
}

/**
 * Runs an evaluation graph over rows `from` to before `to` of a table.
 *
 * @throws `dataset/mismatch`, `runtime/invalid-example`, `engine/*`
 */
export async function evaluationSums(options: {
  readonly session: Session;
  readonly spec: EvaluationGraphDocument;
  readonly data: ExampleTable;
  /** Weights, flat, in the order of `spec.parameters`. */
  readonly values: Float32Array;
  /** @defaultValue 0 */
  readonly from?: number;
  /** @defaultValue all rows */
  readonly to?: number;
  /** Stops between two runs. */
  readonly signal?: AbortSignal;
}): Promise<EvaluationSums> {
  const { session, spec, data, values, from = 0, to = data.count, signal } = options;
  const columns = inputColumns(
    data,
    (spec.inputs ?? [spec.features]).map(({ name }) => name),
  );
  const weights: Record<string, Feeds[string]> = {};
  let at = 0;
  for (const { input, shape } of spec.parameters) {
    const size = elementCount(shape);
    weights[input] = tensor("float32", shape, values.subarray(at, at + size));
    at += size;
  }
  const measured = measuredBy(spec);
  const sums = new Map(measured.map(({ name, shape }) => [name, new Float64Array(elementCount(shape))]));
  const order = Array.from({ length: to - from }, (_, i) => from + i);
  for (const run of exampleRuns(spec, (index) => exampleOf(data, columns, index), order)) {
    signal?.throwIfAborted();
    const outputs = await session.run(
      { ...weights, ...run.feeds },
      { outputs: measured.map(({ output }) => output) },
    );
    for (const { name, output } of measured) {
      const sum = sums.get(name)!;
      (outputs[output]!.data as Float32Array).forEach((value, i) => (sum[i]! += value));
    }
  }
  return { examples: order.length, sums };
}

/** @throws `round/evaluation-failed` when the loss is not finite */
export function evaluationResult(
  spec: EvaluationGraphDocument,
  { examples, sums }: EvaluationSums,
): EvaluationResult {
  const loss = sums.get("loss")![0]! / examples;
  if (!Number.isFinite(loss)) throw failure("round/evaluation-failed", `evaluation: the loss is ${loss}`);
  return {
    loss,
    accuracy: spec.noHits === true ? null : sums.get("accuracy")![0]! / examples,
    metrics: Object.fromEntries(
      (spec.metrics ?? []).map(({ name, shape }) => [
        name,
        Array.from(sums.get(name)!, (sum) => (shape.length === 0 ? sum / examples : sum)),
      ]),
    ),
    examples,
  };
}

function measuredBy(spec: EvaluationGraphDocument) {
  return [
    { name: "loss", output: spec.lossSum, shape: [] },
    { name: "accuracy", output: spec.correct, shape: [] },
    ...(spec.metrics ?? []),
  ];
}
