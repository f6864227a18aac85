import type { StoredExample } from "./device-store.ts";

const FLOATS = 1;
const BYTES = 2;
/** Added to the kind where the label is numbers: they come first, as float32. */
const NUMBERS = 4;
/** kind u8, class or count of numbers u32, length of numbers and values in bytes u32; little-endian. */
const HEAD_BYTES = 9;

/** Examples as records one after the other, so that a file of them grows by appending. */
export function encodeExamples(examples: readonly StoredExample[]): Uint8Array<ArrayBuffer> {
  const sizeBytes = examples.reduce((sum, example) => sum + HEAD_BYTES + bodyBytes(example), 0);
  const bytes = new Uint8Array(sizeBytes);
  const view = new DataView(bytes.buffer);
  let offset = 0;
  const putFloats = (values: Float32Array): void => {
    for (const value of values) {
      view.setFloat32(offset, value, true);
      offset += 4;
    }
  };
  for (const example of examples) {
    const { features, label } = example;
    const isClass = typeof label === "number";
    view.setUint8(offset, (features instanceof Uint8Array ? BYTES : FLOATS) + (isClass ? 0 : NUMBERS));
    view.setUint32(offset + 1, isClass ? label : label.length, true);
    view.setUint32(offset + 5, bodyBytes(example), true);
    offset += HEAD_BYTES;
    if (!isClass) putFloats(label);
    if (features instanceof Uint8Array) {
      bytes.set(features, offset);
      offset += features.length;
    } else putFloats(features);
  }
  return bytes;
}

function bodyBytes({ features, label }: StoredExample): number {
  return features.byteLength + (typeof label === "number" ? 0 : label.byteLength);
}

/** Reads records; what a crash left torn at the end is dropped. */
export function decodeExamples(bytes: Uint8Array): StoredExample[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const floats = (from: number, to: number): Float32Array =>
    Float32Array.from({ length: (to - from) / 4 }, (_, i) => view.getFloat32(from + i * 4, true));
  return recordOffsets(bytes).map((start) => {
    const kind = view.getUint8(start);
    const number = view.getUint32(start + 1, true);
    const begin = start + HEAD_BYTES;
    const end = begin + view.getUint32(start + 5, true);
    const values = begin + (kind & NUMBERS ? number * 4 : 0);
    return {
      features: (kind & BYTES) === 0 ? floats(values, end) : bytes.slice(values, end),
      label: kind & NUMBERS ? floats(begin, values) : number,
    };
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
    const isKnown = (kind & ~NUMBERS) === FLOATS || (kind & ~NUMBERS) === BYTES;
    const labelBytes = kind & NUMBERS ? 4 * view.getUint32(offset + 1, true) : 0;
    if (!isKnown || end > bytes.length || offset + HEAD_BYTES + labelBytes > end) break;
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
