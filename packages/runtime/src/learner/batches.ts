import { failure, type SeededRandom } from "@tributary/core";
import type { StoredExample } from "../store/device-store.ts";

/** One batch, padded to the graph's batch size with rows of weight 0. */
export interface Batch {
  /** [batchSize * featureLength], rows beyond `count` zero. */
  readonly features: Float32Array<ArrayBuffer>;
  readonly labels: Int32Array<ArrayBuffer>;
  /** 1 for an example, 0 for padding. */
  readonly weights: Float32Array<ArrayBuffer>;
  /** Examples in it. */
  readonly count: number;
}

export interface BatchOptions {
  readonly examples: readonly StoredExample[];
  readonly batchSize: number;
  /** Values of one example. */
  readonly featureLength: number;
}

/**
 * One pass over the examples in the given order. Each batch has memory of its own.
 * @throws `runtime/invalid-example` for an example of another length
 */
export function* batchesOf(options: BatchOptions, order: readonly number[]): Generator<Batch> {
  const { examples, batchSize, featureLength } = options;
  for (let start = 0; start < order.length; start += batchSize) {
    const count = Math.min(batchSize, order.length - start);
    const features = new Float32Array(batchSize * featureLength);
    const labels = new Int32Array(batchSize);
    const weights = new Float32Array(batchSize);
    for (let row = 0; row < count; row++) {
      const example = examples[order[start + row]!]!;
      fillRow(features, row * featureLength, example, featureLength);
      labels[row] = example.label;
      weights[row] = 1;
    }
    yield { features, labels, weights, count };
  }
}

/** A random order of all examples, or of `maxExamples` of them. */
export function shuffledOrder(count: number, random: SeededRandom): number[] {
  return random.shuffle(Array.from({ length: count }, (_, i) => i));
}

function fillRow(
  into: Float32Array,
  offset: number,
  { features }: StoredExample,
  featureLength: number,
): void {
  if (features.length !== featureLength) {
    throw failure(
      "runtime/invalid-example",
      `learner: an example has ${features.length} values, the model takes ${featureLength}`,
      { detail: { expected: featureLength, got: features.length } },
    );
  }
  if (features instanceof Uint8Array) {
    for (let i = 0; i < featureLength; i++) into[offset + i] = features[i]! / 255;
  } else {
    into.set(features, offset);
  }
}
