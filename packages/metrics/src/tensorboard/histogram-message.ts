import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** Counts between edges, and below the first and above the last: one more than there are edges. */
export interface HistogramCounts {
  readonly edges: readonly number[];
  readonly counts: readonly number[];
}

/**
 * A `tensorflow.HistogramProto` (tensorflow/core/framework/histogram.proto), without the empty bins at its ends; undefined where all are. Of the
 * values only the bins are known, so their sums are those of the bins' middles.
 */
export function histogramBytes({ edges, counts }: HistogramCounts): Uint8Array | undefined {
  if (counts.length !== edges.length + 1)
    throw new RangeError(`tensorboard: ${edges.length + 1} counts expected, got ${counts.length}`);
  const first = counts.findIndex((count) => count > 0);
  if (first < 0) return undefined;
  const last = counts.findLastIndex((count) => count > 0);
  // What lies outside all edges is shown at the nearest one.
  const lower = (bin: number): number => edges[Math.max(0, bin - 1)]!;
  const upper = (bin: number): number => edges[Math.min(edges.length - 1, bin)]!;
  const [limits, buckets]: [number[], number[]] = [[], []];
  let [num, sum, sumSquares] = [0, 0, 0];
  for (let bin = first; bin <= last; bin += 1) {
    const count = counts[bin]!;
    const middle = (lower(bin) + upper(bin)) / 2;
    limits.push(bin === edges.length ? Number.MAX_VALUE : edges[bin]!);
    buckets.push(count);
    num += count;
    sum += count * middle;
    sumSquares += count * middle * middle;
  }
  const message = new BinaryWriter();
  for (const [i, value] of [lower(first), upper(last), num, sum, sumSquares].entries()) {
    message.tag(i + 1, WireType.Bit64).double(value);
  }
  packed(message, 6, limits);
  packed(message, 7, buckets);
  return message.finish();
}

function packed(message: BinaryWriter, field: number, values: readonly number[]): void {
  message.tag(field, WireType.LengthDelimited).fork();
  for (const value of values) message.double(value);
  message.join();
}
