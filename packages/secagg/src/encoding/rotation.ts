import { encodeUtf8, sha256Bytes } from "@tributary/core";
import { wordStream } from "../graph/neighbour-graph.ts";

/**
 * A randomized Hadamard rotation, in place: random signs, then an orthonormal Walsh-Hadamard transform in blocks of
 * powers of two. The vector is cut, never padded: whole blocks first, then the rest by its binary digits. It spreads
 * large coordinates over a block and keeps the norm.
 */
export function rotate(values: Float64Array, block: number, seed: string): void {
  flipSigns(values, seed);
  transformBlocks(values, block);
}

/** Undoes `rotate`. */
export function rotateBack(values: Float64Array, block: number, seed: string): void {
  transformBlocks(values, block);
  flipSigns(values, seed);
}

function flipSigns(values: Float64Array, seed: string): void {
  const next = wordStream(sha256Bytes(encodeUtf8(`tributary-secagg-rotation-v1:${seed}`)));
  for (let i = 0; i < values.length;) {
    let word = next();
    const end = Math.min(values.length, i + 32);
    for (; i < end; i++, word >>>= 1) if ((word & 1) === 1) values[i] = -values[i]!;
  }
}

function transformBlocks(values: Float64Array, block: number): void {
  let size = block;
  for (let at = 0; at < values.length; at += size) {
    while (size > values.length - at) size /= 2;
    transform(values.subarray(at, at + size));
  }
}

/** The fast Walsh-Hadamard transform over sqrt(length): its own inverse. */
function transform(values: Float64Array): void {
  const { length } = values;
  for (let half = 1; half < length; half *= 2) {
    for (let base = 0; base < length; base += 2 * half) {
      for (let i = base; i < base + half; i++) {
        const a = values[i]!;
        const b = values[i + half]!;
        values[i] = a + b;
        values[i + half] = a - b;
      }
    }
  }
  const scale = 1 / Math.sqrt(length);
  for (let i = 0; i < length; i++) values[i]! *= scale;
}
