import { crc32c } from "@aws-crypto/crc32c";

const LENGTH_BYTES = 8;
const CRC_BYTES = 4;

/** Length as uint64, its masked CRC, the data, its masked CRC; all little-endian. */
export function tfRecord(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const record = new Uint8Array(LENGTH_BYTES + CRC_BYTES + data.length + CRC_BYTES);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(LENGTH_BYTES, maskedCrc(record.subarray(0, LENGTH_BYTES)), true);
  record.set(data, LENGTH_BYTES + CRC_BYTES);
  view.setUint32(LENGTH_BYTES + CRC_BYTES + data.length, maskedCrc(data), true);
  return record;
}

/** The whole records that bytes begin with, and where each ends; what is damaged or cut off ends them. */
export function* readTfRecords(
  bytes: Uint8Array,
): Generator<{ readonly data: Uint8Array; readonly end: number }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + LENGTH_BYTES + CRC_BYTES <= bytes.length;) {
    if (view.getUint32(at + LENGTH_BYTES, true) !== maskedCrc(bytes.subarray(at, at + LENGTH_BYTES))) return;
    const begin = at + LENGTH_BYTES + CRC_BYTES;
    const end = begin + Number(view.getBigUint64(at, true));
    if (end + CRC_BYTES > bytes.length) return;
    const data = bytes.subarray(begin, end);
    if (view.getUint32(end, true) !== maskedCrc(data)) return;
    at = end + CRC_BYTES;
    yield { data, end: at };
  }
}

/** tensorflow/core/lib/hash/crc32c.h: a CRC over data that holds CRCs is rotated and shifted. */
export function maskedCrc(data: Uint8Array): number {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
