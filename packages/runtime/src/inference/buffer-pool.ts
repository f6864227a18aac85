/** Memory that is used again: to reserve it and to fill it for the first time takes longer than to copy into it. */
import type { TensorData } from "@tributary/tensor";

/** What is copied: values of a tensor, or pixels. */
export type Copyable = TensorData | Uint8ClampedArray<ArrayBuffer>;

/** Less is copied in no time. */
export const MIN_POOLED_BYTES = 4_096;
/** Most that waits for its next use. */
const MAX_BYTES = 8 * 1024 ** 2;

export interface BufferPool {
  /** A copy that has its memory to itself. */
  copy<T extends Copyable>(data: T): T;
  /** Nobody reads or writes it any more. What is too small, or was handed over, is left to the collector. */
  giveBack(buffer: ArrayBufferLike): void;
}

/**
 * Keeps what fits together into 8 MiB, by its exact size: inputs of a model are of one size.
 *
 * @param Memory - of which kind what is not small is
 */
export function createBufferPool(Memory: new (byteLength: number) => ArrayBufferLike): BufferPool {
  const free = new Map<number, ArrayBufferLike[]>();
  let bytes = 0;
  return {
    copy<T extends Copyable>(data: T): T {
      const { byteLength } = data;
      if (byteLength < MIN_POOLED_BYTES) return data.slice() as T;
      const used = free.get(byteLength)?.pop();
      if (used !== undefined) bytes -= byteLength;
      const copy = new (data.constructor as new (buffer: ArrayBufferLike) => T)(
        used ?? new Memory(byteLength),
      );
      copy.set(data as never);
      return copy;
    },
    giveBack(buffer) {
      const { byteLength } = buffer;
      if (byteLength < MIN_POOLED_BYTES || byteLength > MAX_BYTES) return;
      // Sizes that nobody asks for any more must not keep out those of today.
      if (bytes + byteLength > MAX_BYTES) {
        free.clear();
        bytes = 0;
      }
      bytes += byteLength;
      const same = free.get(byteLength);
      if (same === undefined) free.set(byteLength, [buffer]);
      else same.push(buffer);
    },
  };
}
