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
 */
export function sampleFeeds(ports: readonly GraphPort[], seed: string): Feeds {
  const seeded = seededRandom(seed);
  const random = (): number => seeded.next();
  return Object.fromEntries(
    ports.map(({ name, dtype, shape }) => {
      const sizes = shape.map((size, axis) => (size > 0 ? size : axis === 0 ? 1 : FREE_SIZE));
      return [name, tensor(dtype, sizes, sampleValues(dtype, elementCount(sizes), random))];
    }),
  );
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
