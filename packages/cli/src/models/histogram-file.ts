import { failure } from "@tributary/core";
import { emptyHistogram, mergeHistograms, type ActivationHistogram } from "@tributary/onnx";
import { readSafetensors, tensor, writeSafetensors } from "@tributary/tensor";

/** In front of the counts: smallest value, largest value, and the limit that the bins reach to. */
const HEAD = 3;

/** Histograms as safetensors: for each activation float64 [3 + bins], min, max, limit and the counts. */
export function writeHistograms(histograms: ReadonlyMap<string, ActivationHistogram>): Uint8Array {
  return writeSafetensors(
    Array.from(histograms, ([name, { min, max, limit, counts }]) => [
      name,
      tensor("float64", [HEAD + counts.length], Float64Array.of(min, max, limit, ...counts)),
    ]),
  );
}

/** Histograms of several places, added up. @throws cli/file where a file holds something else. */
export function readHistograms(
  files: ReadonlyMap<string, Uint8Array>,
): ReadonlyMap<string, ActivationHistogram> {
  const merged = new Map<string, ActivationHistogram>();
  for (const [file, bytes] of files) {
    for (const [name, { data }] of readSafetensors(bytes).tensors) {
      const histogram = histogramOf(file, name, data);
      merged.set(name, mergeHistograms(merged.get(name) ?? emptyHistogram(), histogram));
    }
  }
  return merged;
}

function histogramOf(file: string, name: string, data: ArrayLike<number | bigint>): ActivationHistogram {
  const bins = emptyHistogram().counts.length;
  if (data instanceof Float64Array && data.length === HEAD + bins) {
    const [min = 0, max = 0, limit = 0] = data;
    const counts = data.slice(HEAD);
    const grid = Number.isInteger(Math.log2(limit)) && Math.abs(Math.log2(limit)) < 1000;
    if (grid && min <= max && counts.every((count) => count >= 0 && Number.isFinite(count))) {
      return { min, max, limit, counts };
    }
  }
  throw failure(
    "cli/file",
    `${file}: "${name}" is no histogram of ${bins} bins; expected what \`tributary histograms\` writes`,
    { detail: { file } },
  );
}
