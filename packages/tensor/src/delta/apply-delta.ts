import { DELTA_MAGIC, DELTA_VERSION, invalidDelta, MIN_REGION_BYTES, REGION } from "./delta-format.ts";
import { DeltaReader } from "./delta-reader.ts";
import { applyQuantizedStep } from "./quantized-step.ts";
import { addPlane } from "./read-plane.ts";

/**
 * The file that a delta makes of another one, of the same length: a delta cannot grow. What it says is not to be trusted before the
 * result's digest was compared.
 *
 * @throws `tensor/invalid-delta`
 */
export function applyDelta(base: Uint8Array, delta: Uint8Array): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(base.length);
  result.set(base);
  patchFile(result, delta);
  return result;
}

/**
 * Makes the file of `applyDelta` in the place of the other one. Memory that is new costs a browser more than the work done in it, so
 * that who needs the base no more gives it away.
 *
 * @throws `tensor/invalid-delta`: then the file is neither of the two
 */
export function patchFile(file: Uint8Array<ArrayBuffer>, delta: Uint8Array): void {
  const reader = new DeltaReader(delta);
  if (reader.u32() !== DELTA_MAGIC) throw invalidDelta("it does not begin as one");
  const version = reader.u8();
  if (version !== DELTA_VERSION)
    throw invalidDelta(`it has version ${version}, this release reads ${DELTA_VERSION}`);
  const length = reader.u32();
  if (length !== file.length)
    throw invalidDelta(`it is for a file of ${length} bytes, the one here has ${file.length}`);
  const regions = reader.varint("the number of regions", Math.floor(reader.remaining / MIN_REGION_BYTES));
  let at = 0;
  for (let i = 0; i < regions; i++) {
    const bytes = reader.varint("a region's length", length - at);
    changeRegion(reader, file.subarray(at, at + bytes));
    at += bytes;
  }
  if (at !== length || reader.remaining > 0)
    throw invalidDelta(`it covers ${at} of ${length} bytes, and ${reader.remaining} of its own are left`);
}

function changeRegion(reader: DeltaReader, region: Uint8Array<ArrayBuffer>): void {
  const kind = reader.u8();
  switch (kind) {
    case REGION.copy:
      return;
    case REGION.difference:
      return addDifference(reader, region);
    case REGION.replace:
      return region.set(reader.bytes(region.length));
    case REGION.step:
      return addStep(reader, region);
    default:
      throw invalidDelta(`it has a region of kind ${kind}, which this release does not know`);
  }
}

function addDifference(reader: DeltaReader, region: Uint8Array<ArrayBuffer>): void {
  const elementBytes = reader.u8();
  if (elementBytes === 1) {
    addPlane(reader, new Int8Array(region.buffer, region.byteOffset, region.length));
    return;
  }
  if ((elementBytes !== 2 && elementBytes !== 4) || region.length % elementBytes !== 0)
    throw invalidDelta(`it has elements of ${elementBytes} bytes in ${region.length}`);
  const count = region.length / elementBytes;
  const differences = new Uint32Array(count);
  for (let plane = 0; plane < elementBytes; plane++) {
    const bytes = new Int8Array(count);
    addPlane(reader, bytes);
    for (let i = 0; i < count; i++) differences[i]! |= (bytes[i]! & 255) << (8 * plane);
  }
  const view = new DataView(region.buffer, region.byteOffset, region.length);
  for (let i = 0; i < count; i++) {
    // Small differences of either sign are small numbers: 0, -1, 1, -2, ...
    const difference = (differences[i]! >>> 1) ^ -(differences[i]! & 1);
    if (elementBytes === 2) view.setUint16(2 * i, view.getUint16(2 * i, true) + difference, true);
    else view.setUint32(4 * i, view.getUint32(4 * i, true) + difference, true);
  }
}

function addStep(reader: DeltaReader, region: Uint8Array<ArrayBuffer>): void {
  const count = region.length / 4;
  if (region.byteOffset % 4 !== 0 || !Number.isInteger(count))
    throw invalidDelta(`it has a step of ${region.length} bytes at byte ${region.byteOffset}`);
  const channels = reader.varint("the number of channels", Math.min(count, reader.remaining >> 1));
  if (channels === 0 || count % channels !== 0)
    throw invalidDelta(`it has ${channels} channels of ${count} values`);
  const scales = new Uint32Array(channels);
  for (let i = 0; i < channels; i++) scales[i] = reader.u16() << 16;
  const values = new Int8Array(count);
  addPlane(reader, values);
  applyQuantizedStep(new Float32Array(region.buffer, region.byteOffset, count), {
    scales: new Float32Array(scales.buffer),
    values,
  });
}
