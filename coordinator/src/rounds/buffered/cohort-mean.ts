import { failure } from "@tributary/core";
import { readSafetensors, tensor, writeSafetensors, type Tensor } from "@tributary/tensor";
import type { RoundMean } from "@tributary/federation/aggregation";

const FORMAT = "tributary-cohort-mean-v1";

/**
 * A cohort's decoded sum as it waits for its version: the mean of its members' updates in float64, with the examples that
 * it stands for, as a safetensors file. The same mean gives the same bytes.
 */
export function encodeCohortMean(mean: RoundMean): Uint8Array<ArrayBuffer> {
  const { weights, statistics, updates, totalExamples } = mean;
  const tensors: [string, Tensor][] = [["weights", tensor("float64", [weights.length], weights)]];
  if (statistics.length > 0) {
    tensors.push(["statistics", tensor("float64", [statistics.length], statistics)]);
  }
  return writeSafetensors(tensors, {
    format: FORMAT,
    updates: String(updates),
    totalExamples: String(totalExamples),
  });
}

/** @throws `store/corrupt` when it is no cohort's mean of so many values; `safetensors/*` */
export function decodeCohortMean(
  bytes: Uint8Array,
  { weightCount, statisticCount }: { readonly weightCount: number; readonly statisticCount: number },
): RoundMean {
  const { tensors, metadata } = readSafetensors(bytes);
  const valuesOf = (name: string, count: number): Float64Array => {
    const data = tensors.get(name)?.data ?? new Float64Array(0);
    if (data instanceof Float64Array && data.length === count) return data;
    throw failure("store/corrupt", `rounds: a cohort's mean with ${count} float64 ${name} expected`, {
      detail: { name, count, got: data.length },
    });
  };
  const updates = Number(metadata["updates"]);
  const totalExamples = Number(metadata["totalExamples"]);
  if (metadata["format"] !== FORMAT || !(updates >= 1) || !(totalExamples >= 1)) {
    throw failure("store/corrupt", `rounds: a cohort's mean of ${FORMAT} expected`);
  }
  return {
    weights: valuesOf("weights", weightCount),
    statistics: valuesOf("statistics", statisticCount),
    updates,
    totalExamples,
  };
}
