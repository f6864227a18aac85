import { decodeExample } from "./example-codec.ts";
import type { ExamplePage, StoredExample } from "./device-store.ts";

/** kind u8, number u32, length of the body in bytes u32; little-endian. Of a sealed page the number is its id. */
const HEAD_BYTES = 9;
const SEALED = 32;

// Kinds of the records that were written before examples were sealed. A whole example's number is 0.
const EXAMPLE = 16;
// And before models had several inputs: their number is the class, or how many numbers come first as float32; the input's values
// follow.
const FLOATS = 1;
const BYTES = 2;
const NUMBERS = 4;

/** Sealed pages as records one after the other, so that a file of them grows by appending. */
export function encodePages(
  pages: readonly { readonly id: number; readonly sealed: Uint8Array }[],
): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(pages.reduce((sum, { sealed }) => sum + HEAD_BYTES + sealed.length, 0));
  const view = new DataView(file.buffer);
  let offset = 0;
  for (const { id, sealed } of pages) {
    view.setUint8(offset, SEALED);
    view.setUint32(offset + 1, id, true);
    view.setUint32(offset + 5, sealed.length, true);
    file.set(sealed, offset + HEAD_BYTES);
    offset += HEAD_BYTES + sealed.length;
  }
  return file;
}

/** Reads records; what a crash left torn at the end is dropped. Those that were written unsealed get ids below 0, in their order. */
export function decodePages(file: Uint8Array): ExamplePage[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const offsets = recordOffsets(file);
  return offsets.map((start, at): ExamplePage => {
    const body = file.slice(start + HEAD_BYTES, start + HEAD_BYTES + view.getUint32(start + 5, true));
    const kind = view.getUint8(start);
    const number = view.getUint32(start + 1, true);
    if (kind === SEALED) return { id: number, sealed: body };
    const plain = kind === EXAMPLE ? decodeExample(body) : decodeFirst(kind, number, body);
    return { id: at - offsets.length, plain };
  });
}

/** A record of one input, as written first. */
function decodeFirst(kind: number, number: number, body: Uint8Array): StoredExample {
  const floats = (from: number, to: number): Float32Array => new Float32Array(body.slice(from, to).buffer);
  const values = kind & NUMBERS ? number * 4 : 0;
  return {
    inputs: [kind & BYTES ? body.slice(values) : floats(values, body.length)],
    label: kind & NUMBERS ? floats(0, values) : number,
  };
}

/** Where each complete record begins. */
function recordOffsets(file: Uint8Array): number[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const offsets: number[] = [];
  let offset = 0;
  while (offset + HEAD_BYTES <= file.length) {
    const kind = view.getUint8(offset);
    const end = offset + HEAD_BYTES + view.getUint32(offset + 5, true);
    const isFirst = (kind & ~NUMBERS) === FLOATS || (kind & ~NUMBERS) === BYTES;
    const labelBytes = isFirst && kind & NUMBERS ? 4 * view.getUint32(offset + 1, true) : 0;
    const isRecord = isFirst || kind === EXAMPLE || kind === SEALED;
    if (!isRecord || end > file.length || offset + HEAD_BYTES + labelBytes > end) break;
    offsets.push(offset);
    offset = end;
  }
  return offsets;
}

/** Length of the complete records. */
export function completeBytes(file: Uint8Array): number {
  const last = recordOffsets(file).at(-1);
  if (last === undefined) return 0;
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  return last + HEAD_BYTES + view.getUint32(last + 5, true);
}
