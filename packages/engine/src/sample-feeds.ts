import { seededRandom } from "@tributary/core";
import type { Feeds } from "./engine.ts";
import { writeValues } from "./port-values.ts";
import type { GraphPort } from "@tributary/protocol";
import { allocate, elementCount, tensor, type TensorData } from "@tributary/tensor";

/** A free dimension that is not the batch, in a sample. */
const FREE_SIZE = 8;

/**
 * One row, by a seed, for the check of one engine against another: floats uniform in [0, 1), of everything else ones and zeros, because
 * an index is in range then and a mask not empty.
 *
 * @param quantiles - by the name of a float32 input: values that even shares of its floats are to lie below, from the least to the largest
 */
export function sampleFeeds(
  ports: readonly GraphPort[],
  seed: string,
  quantiles: Readonly<Record<string, readonly number[]>> = {},
): Feeds {
  const seeded = seededRandom(seed);
  return Object.fromEntries(
    ports.map(({ name, dtype, shape }) => {
      const steps = dtype === "float32" && Object.hasOwn(quantiles, name) ? quantiles[name] : undefined;
      const random = (): number => (steps === undefined ? seeded.next() : between(steps, seeded.next()));
      const sizes = shape.map((size, axis) => (size > 0 ? size : axis === 0 ? 1 : FREE_SIZE));
      return [name, tensor(dtype, sizes, sampleValues(dtype, elementCount(sizes), random))];
    }),
  );
}

/** The value that a share of them lies below. */
function between(steps: readonly number[], share: number): number {
  const place = share * (steps.length - 1);
  const [low, high] = [steps[Math.floor(place)] ?? 0, steps[Math.floor(place) + 1] ?? 0];
  return low + (high - low) * (place % 1);
}

/** Bits of float16 numbers: 0.5, to which up to 1023 is added for those below 1. */
const HALF_BITS = 0x3800;

function sampleValues(dtype: GraphPort["dtype"], length: number, random: () => number): TensorData {
  if (dtype === "float16") {
    return Uint16Array.from({ length }, () => HALF_BITS + Math.floor(random() * 1024));
  }
  const data = allocate(dtype, length);
  const isFloat = dtype === "float32" || dtype === "float64";
  writeValues(
    dtype,
    data,
    0,
    Array.from({ length }, (_, i) => (isFloat ? random() : 1 - (i % 2))),
  );
  return data;
}
