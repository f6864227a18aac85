import { failure } from "@tributary/core";
import { readSafetensors, tensor, writeSafetensors, type Tensor } from "@tributary/tensor";
import type { RoundMean, UpdateCounts } from "./update-sum.ts";

const FORMAT = "tributary-aggregate-v1";

/** What a server optimizer is given of a round. */
export type Aggregate = Pick<RoundMean, "weights" | "statistics" | "updates" | "totalExamples" | "perStep">;

/**
 * A round's mean as a server optimizer takes it, as a safetensors file: weights rounded to float32 (which is how they are stepped with),
 * statistics in float64. The same mean gives the same bytes.
 */
export function encodeAggregate({
  weights,
  statistics,
  updates,
  totalExamples,
  perStep,
}: Aggregate): Uint8Array<ArrayBuffer> {
  const float32 = (values: Float64Array): Tensor =>
    tensor("float32", [values.length], Float32Array.from(values));
  const tensors: [string, Tensor][] = [["weights", float32(weights)]];
  if (statistics.length > 0)
    tensors.push(["statistics", tensor("float64", [statistics.length], Float64Array.from(statistics))]);
  if (perStep !== undefined) tensors.push(["perStep", float32(perStep)]);
  return writeSafetensors(tensors, {
    format: FORMAT,
    updates: String(updates),
    totalExamples: String(totalExamples),
  });
}

/** @throws `store/corrupt` when it is no aggregate of so many values; `safetensors/*` */
export function decodeAggregate(bytes: Uint8Array, { weightCount, statisticCount }: UpdateCounts): Aggregate {
  const { tensors, metadata } = readSafetensors(bytes);
  const updates = Number(metadata["updates"]);
  const totalExamples = Number(metadata["totalExamples"]);
  if (metadata["format"] !== FORMAT || !(updates >= 1) || !(totalExamples >= 1))
    throw failure(
      "store/corrupt",
      `federation: an aggregate of ${FORMAT} expected, got ${metadata["format"]}`,
    );
  const valuesOf = (name: string, dtype: "float32" | "float64", count: number): Float64Array => {
    const found = tensors.get(name);
    if (found?.dtype !== dtype || found.data.length !== count)
      throw failure(
        "store/corrupt",
        `federation: an aggregate with ${count} ${dtype} ${name} expected, got ${found?.data.length ?? 0}`,
        { detail: { name, count } },
      );
    return Float64Array.from(found.data as Float32Array | Float64Array);
  };
  return {
    weights: valuesOf("weights", "float32", weightCount),
    statistics:
      statisticCount === 0 ? new Float64Array(0) : valuesOf("statistics", "float64", statisticCount),
    updates,
    totalExamples,
    ...(tensors.has("perStep") ? { perStep: valuesOf("perStep", "float32", weightCount) } : {}),
  };
}
