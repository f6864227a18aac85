import type { ChunkLayout } from "../encoding/mask-layout.ts";
import { openKernels, type Kernels } from "./kernels.ts";

/** Adds chunks of key stream to a part of a vector. It holds one chunk of the vector and one of key stream. */
export class MaskAdder {
  readonly #lanes: Kernels["addLanes"];
  readonly #heap: Uint8Array<ArrayBuffer>;
  readonly #elements: Uint32Array<ArrayBuffer>;
  /** Where key stream lies. */
  readonly #stream: number;

  /** @param chunks - all that it will be used for */
  constructor(chunks: readonly ChunkLayout[]) {
    const elements = Math.max(0, ...chunks.map(elementsOf));
    const byteLength = Math.max(0, ...chunks.map((chunk) => chunk.byteLength));
    this.#stream = Math.ceil(elements / 4) * 16;
    const { kernels, heap, elements: words } = openKernels(this.#stream + byteLength);
    this.#lanes = kernels.addLanes;
    this.#heap = heap;
    this.#elements = words;
  }

  load(vector: Uint32Array, chunk: ChunkLayout): void {
    this.#elements.set(partOf(vector, chunk));
  }

  /** Modulo 2^32. */
  add(chunk: ChunkLayout, stream: Uint8Array, sign: 1 | -1): void {
    this.#heap.set(stream, this.#stream);
    let first = 0;
    for (const { lane, byteOffset, count } of chunk.pieces) {
      const whole = count - (count % 4);
      const at = this.#stream + byteOffset;
      if (whole > 0) this.#lanes[lane](4 * first, at, 4 * (first + whole), sign === 1 ? 0 : -1);
      for (let i = whole; i < count; i++) this.#addOne(first + i, at + (i * lane) / 8, lane / 8, sign);
      first += count;
    }
  }

  /** Writes the part back and forgets it. */
  store(vector: Uint32Array, chunk: ChunkLayout): void {
    const part = partOf(vector, chunk);
    part.set(this.#elements.subarray(0, part.length));
    this.#heap.fill(0);
  }

  #addOne(element: number, at: number, bytes: number, sign: 1 | -1): void {
    let value = 0;
    for (let i = bytes - 1; i >= 0; i--) value = value * 256 + this.#heap[at + i]!;
    this.#elements[element] = this.#elements[element]! + sign * value;
  }
}

function partOf(vector: Uint32Array, chunk: ChunkLayout): Uint32Array {
  const start = chunk.pieces[0]!.start;
  return vector.subarray(start, start + elementsOf(chunk));
}

function elementsOf({ pieces }: ChunkLayout): number {
  return pieces.reduce((sum, { count }) => sum + count, 0);
}
