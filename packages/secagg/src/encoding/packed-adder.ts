import { openKernels, type Kernels } from "../primitives/kernels.ts";
import { checkPacked, segmentBytes } from "./packing.ts";
import { MAX_WIDTH, type RingSegment } from "./ring.ts";

/** Elements that are added at once: a multiple of 8, so that the next begin at a whole byte. */
const CHUNK = 16_384;

/** The kernel reads 8 bytes for any element. */
const SLACK_BYTES = 8;

/** Unpacks vectors and adds them to sums, modulo 2^32, holding no second vector. */
export class PackedAdder {
  readonly #add: Kernels["addPacked"];
  readonly #heap: Uint8Array<ArrayBuffer>;
  readonly #elements: Uint32Array<ArrayBuffer>;

  constructor() {
    const { kernels, heap, elements } = openKernels(2 * 4 * CHUNK + SLACK_BYTES);
    this.#add = kernels.addPacked;
    this.#heap = heap;
    this.#elements = elements;
  }

  /** @throws TributaryError `secagg/wrong-length`. */
  add(sum: Uint32Array, packed: Uint8Array, segments: readonly RingSegment[]): void {
    checkPacked(packed, segments);
    let start = 0;
    let byte = 0;
    for (const segment of segments) {
      const { count, width } = segment;
      const mask = width === MAX_WIDTH ? -1 : 2 ** width - 1;
      const end = byte + segmentBytes(segment);
      for (let done = 0; done < count; done += CHUNK) {
        const part = sum.subarray(start + done, start + Math.min(count, done + CHUNK));
        const from = byte + (done / 8) * width;
        this.#elements.set(part);
        this.#heap.set(packed.subarray(from, Math.min(end, from + (CHUNK / 8) * width)), 4 * CHUNK);
        this.#add(0, 4 * CHUNK, 4 * part.length, width, mask);
        part.set(this.#elements.subarray(0, part.length));
      }
      start += count;
      byte = end;
    }
  }
}
