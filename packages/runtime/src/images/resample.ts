import type { Placement, Size } from "./fit.ts";

/** Weights of the source's samples for each sample of the target, along one axis. */
interface Axis {
  /** First source sample of each target sample. */
  readonly begins: Int32Array;
  readonly weights: readonly Float32Array[];
}

/**
 * A triangle filter as wide as a target pixel, or a source pixel where that is the larger: bilinear when it enlarges, and an
 * average without aliasing when it shrinks, as Pillow's BILINEAR.
 *
 * @param begin - of the part that is seen, in source pixels
 * @param length - of that part
 */
function axis(sourceSize: number, begin: number, length: number, targetSize: number): Axis {
  const scale = length / targetSize;
  const support = Math.max(1, scale);
  const begins = new Int32Array(targetSize);
  const weights: Float32Array[] = [];
  for (let i = 0; i < targetSize; i++) {
    const center = begin + (i + 0.5) * scale;
    const first = Math.max(0, Math.floor(center - support + 0.5));
    const last = Math.min(sourceSize - 1, Math.ceil(center + support - 0.5) - 1);
    const taps = new Float32Array(Math.max(1, last - first + 1));
    let sum = 0;
    for (let at = 0; at < taps.length; at++) {
      sum += taps[at] = Math.max(0, 1 - Math.abs(first + at + 0.5 - center) / support);
    }
    if (sum === 0) taps[0] = sum = 1;
    for (let at = 0; at < taps.length; at++) taps[at]! /= sum;
    begins[i] = Math.min(first, sourceSize - 1);
    weights.push(taps);
  }
  return { begins, weights };
}

/**
 * Pixels of a size, on black. Transparent ones let the black through.
 *
 * @param rgba - of the source, row by row
 * @returns RGB in [0, 255], row by row, not rounded
 */
export function resample(
  rgba: Uint8ClampedArray | Uint8Array,
  source: Size,
  target: Size,
  { from, to }: Placement,
): Float32Array<ArrayBuffer> {
  const across = axis(source.width, from.x, from.width, to.width);
  const down = axis(source.height, from.y, from.height, to.height);
  // Rows first, and of them only those that are seen.
  const firstRow = down.begins[0]!;
  const lastRow = down.begins[to.height - 1]! + down.weights[to.height - 1]!.length;
  const narrow = new Float32Array(3 * to.width * (lastRow - firstRow));
  let write = 0;
  for (let row = firstRow; row < lastRow; row++) {
    for (let column = 0; column < to.width; column++) {
      const taps = across.weights[column]!;
      let read = 4 * (row * source.width + across.begins[column]!);
      let [red, green, blue] = [0, 0, 0];
      for (let at = 0; at < taps.length; at++, read += 4) {
        const weight = (taps[at]! * rgba[read + 3]!) / 255;
        red += weight * rgba[read]!;
        green += weight * rgba[read + 1]!;
        blue += weight * rgba[read + 2]!;
      }
      narrow[write++] = red;
      narrow[write++] = green;
      narrow[write++] = blue;
    }
  }
  const pixels = new Float32Array(3 * target.width * target.height);
  const rowLength = 3 * to.width;
  for (let row = 0; row < to.height; row++) {
    const taps = down.weights[row]!;
    const begin = (down.begins[row]! - firstRow) * rowLength;
    const out = 3 * ((to.y + row) * target.width + to.x);
    for (let at = 0; at < taps.length; at++) {
      const weight = taps[at]!;
      const read = begin + at * rowLength;
      for (let i = 0; i < rowLength; i++) pixels[out + i]! += weight * narrow[read + i]!;
    }
  }
  return pixels;
}
