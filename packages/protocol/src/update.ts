import {
  concatBytes,
  decode,
  digest,
  encode,
  f64,
  failure,
  list,
  roundId,
  struct,
  taskName,
  u32,
  u8,
  type Codec,
  type Digest,
  type RoundId,
  type TaskName,
} from "@tributary/core";
import { LIMITS } from "./limits.ts";

/** What stands before the numbers of an uploaded update. */
export interface UpdateHeader {
  formatVersion: number;
  roundId: RoundId;
  task: TaskName;
  /** Digest of the parameter schema the payload follows: names, shapes, order. */
  schemaDigest: Digest;
  /** Examples trained on: the update's weight in the mean. */
  numExamples: number;
  /** Coordinates of `trainingMetrics`, in its order: sums over the examples trained on. */
  metrics: readonly number[];
  /** Number of float32 values that follow. */
  count: number;
}

export const UpdateHeader: Codec<UpdateHeader> = struct({
  formatVersion: u8,
  roundId,
  task: taskName,
  schemaDigest: digest,
  numExamples: u32,
  metrics: list(f64, { max: LIMITS.maxMetrics }),
  count: u32,
});

/** "TRBU", then the header's length as u32 little-endian. */
const MAGIC = [0x54, 0x52, 0x42, 0x55] as const;
const PREFIX_BYTES = 8;

/**
 * An upload body: prefix, header, zeros up to a multiple of 4, then little-endian float32 values
 * (`trained - base`, schema order).
 */
export function encodeUpdate(
  header: Omit<UpdateHeader, "formatVersion" | "count">,
  values: Float32Array,
): Uint8Array<ArrayBuffer> {
  const encoded = encode(UpdateHeader, { ...header, formatVersion: 1, count: values.length });
  const payloadOffset = align4(PREFIX_BYTES + encoded.length);
  const body = new Uint8Array(payloadOffset + values.length * 4);
  body.set(MAGIC, 0);
  const view = new DataView(body.buffer);
  view.setUint32(4, encoded.length, true);
  body.set(encoded, PREFIX_BYTES);
  if (LITTLE_ENDIAN) {
    new Float32Array(body.buffer, payloadOffset).set(values);
  } else {
    for (let i = 0; i < values.length; i++) view.setFloat32(payloadOffset + i * 4, values[i]!, true);
  }
  return body;
}

/** The header and where the values begin. */
export interface DecodedUpdateHeader {
  header: UpdateHeader;
  /** Offset of the first value in the body; a multiple of 4. */
  payloadOffset: number;
  /** Length the whole body must have. */
  sizeBytes: number;
}

/**
 * Reads the header from the beginning of a body; `maxUpdateHeaderBytes` bytes are always enough.
 *
 * @throws update/invalid-header, update/truncated.
 */
export function decodeUpdateHeader(prefix: Uint8Array): DecodedUpdateHeader {
  if (prefix.length < PREFIX_BYTES) throw truncated(prefix.length, PREFIX_BYTES);
  if (MAGIC.some((byte, i) => prefix[i] !== byte)) {
    throw failure("update/invalid-header", "update: the body does not begin with TRBU; it is no update");
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset).getUint32(4, true);
  // Before any arithmetic: the length is the sender's and may be near 2^32.
  if (length > LIMITS.maxUpdateHeaderBytes - PREFIX_BYTES) {
    throw failure(
      "update/invalid-header",
      `update: the header may have ${LIMITS.maxUpdateHeaderBytes - PREFIX_BYTES} bytes, got ${length}`,
      { detail: { headerBytes: length } },
    );
  }
  const payloadOffset = align4(PREFIX_BYTES + length);
  if (prefix.length < payloadOffset) throw truncated(prefix.length, payloadOffset);
  let header: UpdateHeader;
  try {
    header = decode(UpdateHeader, prefix.subarray(PREFIX_BYTES, PREFIX_BYTES + length));
  } catch (cause) {
    throw failure("update/invalid-header", "update: the header cannot be read", { cause });
  }
  if (header.formatVersion !== 1) {
    throw failure(
      "update/invalid-header",
      `update: format version ${header.formatVersion} is not known, expected 1`,
      { detail: { formatVersion: header.formatVersion } },
    );
  }
  return { header, payloadOffset, sizeBytes: payloadOffset + header.count * 4 };
}

/**
 * The float32 values of a piece of payload whose length is a multiple of 4; copied only where the bytes are
 * unaligned.
 */
export function updateValues(piece: Uint8Array): Float32Array {
  const count = piece.length >>> 2;
  if (LITTLE_ENDIAN) {
    if (piece.byteOffset % 4 === 0) return new Float32Array(piece.buffer, piece.byteOffset, count);
    return new Float32Array(concatBytes(piece).buffer, 0, count);
  }
  const view = new DataView(piece.buffer, piece.byteOffset, piece.length);
  return Float32Array.from({ length: count }, (_, i) => view.getFloat32(i * 4, true));
}

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

function align4(offset: number): number {
  return (offset + 3) & ~3;
}

function truncated(got: number, expected: number): Error {
  return failure(
    "update/truncated",
    `update: the body ends after ${got} bytes, its header needs ${expected}`,
    { detail: { got, expected } },
  );
}
