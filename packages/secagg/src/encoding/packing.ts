import { failure } from "@tributary/core";
import { MAX_WIDTH, type RingSegment } from "./ring.ts";

/** Bytes of a packed vector: each segment begins at a whole byte. */
export function packedBytes(segments: readonly RingSegment[]): number {
  return segments.reduce((sum, segment) => sum + segmentBytes(segment), 0);
}

export function segmentBytes({ count, width }: RingSegment): number {
  return Math.ceil((count * width) / 8);
}

/** Packs each element into its segment's width, lowest bits first. Elements are reduced to their ring on the way. */
export function packVector(vector: Uint32Array, segments: readonly RingSegment[]): Uint8Array<ArrayBuffer> {
  const packed = new Uint8Array(packedBytes(segments));
  let element = 0;
  let byte = 0;
  for (const segment of segments) {
    const { count, width } = segment;
    const mask = width === MAX_WIDTH ? 0xffff_ffff : 2 ** width - 1;
    const end = element + count;
    let held = 0;
    let bits = 0;
    while (element < end) {
      const value = (vector[element++]! & mask) >>> 0;
      // At most 7 bits are held, so the low 32 bits of the sum lose no more than `bits` of the value's top.
      held |= value << bits;
      let have = bits + width;
      const above = bits === 0 ? 0 : value >>> (32 - bits);
      if (have > 32) {
        packed[byte++] = held;
        packed[byte++] = held >>> 8;
        packed[byte++] = held >>> 16;
        packed[byte++] = held >>> 24;
        held = above;
        have -= 32;
      }
      for (; have >= 8; have -= 8) {
        packed[byte++] = held;
        held >>>= 8;
      }
      bits = have;
    }
    if (bits > 0) packed[byte++] = held;
  }
  return packed;
}

/**
 * A packed vector has exactly one form: the right length, and zeros after each segment's last element.
 *
 * @throws TributaryError `secagg/wrong-length`.
 */
export function checkPacked(packed: Uint8Array, segments: readonly RingSegment[]): void {
  const expected = packedBytes(segments);
  if (packed.length !== expected) {
    throw failure(
      "secagg/wrong-length",
      `secagg: a masked vector of ${expected} bytes expected, got ${packed.length}`,
      { detail: { expected, got: packed.length } },
    );
  }
  let end = 0;
  for (const segment of segments) {
    end += segmentBytes(segment);
    const unused = (8 - ((segment.count * segment.width) % 8)) % 8;
    if (unused > 0 && packed[end - 1]! >>> (8 - unused) !== 0) {
      throw failure("secagg/wrong-length", `secagg: bits are set after the last element, at byte ${end - 1}`);
    }
  }
}
