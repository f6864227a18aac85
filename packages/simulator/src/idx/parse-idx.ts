import { failure } from "@tributary/core";

/** An array of unsigned bytes in the IDX format of MNIST (http://yann.lecun.com/exdb/mnist/). */
export interface IdxArray {
  readonly shape: readonly number[];
  /** Row-major; shares memory with the file. */
  readonly data: Uint8Array;
}

/** Most elements of one file; MNIST's largest has 47 million. */
export const MAX_IDX_ELEMENTS = 2 ** 29;

const UNSIGNED_BYTE = 0x08;

/**
 * Reads one uncompressed IDX file of unsigned bytes.
 * @param name of the file, for errors
 * @throws TributaryError `dataset/truncated`, `dataset/invalid`, `dataset/too-large`
 */
export function parseIdx(bytes: Uint8Array, name: string): IdxArray {
  const detail = { file: name };
  if (bytes.length < 4)
    throw failure("dataset/truncated", `${name}: 4 bytes of IDX header expected, got ${bytes.length}`, {
      detail,
    });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [zero, type, rank] = [view.getUint16(0), view.getUint8(2), view.getUint8(3)];
  if (zero !== 0 || rank < 1 || rank > 4) {
    throw failure(
      "dataset/invalid",
      `${name}: not an IDX file, it begins with 0x${view.getUint32(0).toString(16).padStart(8, "0")}`,
      { detail },
    );
  }
  if (type !== UNSIGNED_BYTE) {
    throw failure("dataset/invalid", `${name}: IDX of unsigned bytes (type 8) expected, got type ${type}`, {
      detail,
    });
  }
  const dataStart = 4 + 4 * rank;
  if (bytes.length < dataStart)
    throw failure(
      "dataset/truncated",
      `${name}: ${dataStart} bytes of IDX header expected, got ${bytes.length}`,
      { detail },
    );
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  let elements = 1;
  for (const dimension of shape) elements *= dimension;
  if (elements > MAX_IDX_ELEMENTS) {
    throw failure("dataset/too-large", `${name}: ${shape.join(" x ")} bytes exceed ${MAX_IDX_ELEMENTS}`, {
      detail,
    });
  }
  const present = bytes.length - dataStart;
  if (present < elements)
    throw failure("dataset/truncated", `${name}: ${elements} bytes of data expected, got ${present}`, {
      detail,
    });
  if (present > elements)
    throw failure("dataset/invalid", `${name}: ${present - elements} bytes after the data`, { detail });
  return { shape, data: bytes.subarray(dataStart) };
}
