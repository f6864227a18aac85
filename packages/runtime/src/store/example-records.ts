import type { StoredExample } from "./device-store.ts";

const FLOATS = 1;
const BYTES = 2;
/** kind u8, label u32, length of the values in bytes u32; little-endian. */
const HEAD_BYTES = 9;

/** Examples as records one after the other, so that a file of them grows by appending. */
export function encodeExamples(examples: readonly StoredExample[]): Uint8Array<ArrayBuffer> {
  const sizeBytes = examples.reduce((sum, { features }) => sum + HEAD_BYTES + features.byteLength, 0);
  const bytes = new Uint8Array(sizeBytes);
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const { features, label } of examples) {
    view.setUint8(offset, features instanceof Uint8Array ? BYTES : FLOATS);
    view.setUint32(offset + 1, label, true);
    view.setUint32(offset + 5, features.byteLength, true);
    offset += HEAD_BYTES;
    if (features instanceof Uint8Array) bytes.set(features, offset);
    else features.forEach((value, i) => view.setFloat32(offset + i * 4, value, true));
    offset += features.byteLength;
  }
  return bytes;
}

/** Reads records; what a crash left torn at the end is dropped. */
export function decodeExamples(bytes: Uint8Array): StoredExample[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return recordOffsets(bytes).map((start) => {
    const label = view.getUint32(start + 1, true);
    const sizeBytes = view.getUint32(start + 5, true);
    const begin = start + HEAD_BYTES;
    if (view.getUint8(start) === BYTES) return { features: bytes.slice(begin, begin + sizeBytes), label };
    const features = Float32Array.from({ length: sizeBytes / 4 }, (_, i) =>
      view.getFloat32(begin + i * 4, true),
    );
    return { features, label };
  });
}

/** Where each complete record begins. */
export function recordOffsets(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const offsets: number[] = [];
  let offset = 0;
  while (offset + HEAD_BYTES <= bytes.length) {
    const kind = view.getUint8(offset);
    const end = offset + HEAD_BYTES + view.getUint32(offset + 5, true);
    if ((kind !== FLOATS && kind !== BYTES) || end > bytes.length) break;
    offsets.push(offset);
    offset = end;
  }
  return offsets;
}

/** Length of the complete records. */
export function completeBytes(bytes: Uint8Array): number {
  const last = recordOffsets(bytes).at(-1);
  if (last === undefined) return 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return last + HEAD_BYTES + view.getUint32(last + 5, true);
}
