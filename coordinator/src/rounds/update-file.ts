import { createHash } from "node:crypto";
import { open, rm, type FileHandle } from "node:fs/promises";
import { failure, type Digest, type TributaryError } from "@tributary/core";
import { storageFailure, writeAll } from "../durable-files.ts";
import { decodeUpdateHeader, LIMITS, updateValues, type DecodedUpdateHeader } from "@tributary/protocol";

/** Bytes read from an update's file at a time; a multiple of 4. */
export const CHUNK_BYTES = 256 * 1024;

/** What an upload has to be, as the device announced it. */
export interface ExpectedBody {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** A received body, on disk. */
export interface UpdateFile {
  readonly path: string;
  readonly sizeBytes: number;
  remove(): Promise<void>;
}

/**
 * Writes a body to a file as it comes, hashing it: memory is one chunk of the socket. What is not exactly the body
 * that was announced leaves no file.
 *
 * @throws `update/too-large`, `update/truncated`, `update/digest-mismatch`, `store/unavailable`; what the source throws
 */
export async function receiveUpdate(
  source: AsyncIterable<Uint8Array>,
  path: string,
  expected: ExpectedBody,
): Promise<UpdateFile> {
  const file = await writable(path);
  const hash = createHash("sha256");
  let sizeBytes = 0;
  try {
    for await (const chunk of source) {
      sizeBytes += chunk.length;
      if (sizeBytes > expected.sizeBytes) {
        throw failure("update/too-large", `update: more than the ${expected.sizeBytes} bytes announced`, {
          detail: { announced: expected.sizeBytes },
        });
      }
      hash.update(chunk);
      await writeAll(file, chunk).catch((error: unknown) => {
        throw notWritten(error);
      });
    }
    if (sizeBytes < expected.sizeBytes) {
      throw failure("update/truncated", `update: ${sizeBytes} of ${expected.sizeBytes} bytes came`, {
        detail: { got: sizeBytes, expected: expected.sizeBytes },
      });
    }
    const digest = hash.digest("hex");
    if (digest !== expected.digest) {
      throw failure(
        "update/digest-mismatch",
        `update: the body is ${digest}, announced was ${expected.digest}`,
        {
          detail: { announced: expected.digest },
        },
      );
    }
  } catch (error) {
    await file.close();
    await rm(path, { force: true });
    throw error;
  }
  await file.close();
  return { path, sizeBytes, remove: () => rm(path, { force: true }) };
}

/** Reads a received update piece by piece into one buffer, which the next piece overwrites. */
export async function readUpdate(
  { path, sizeBytes }: UpdateFile,
  buffer: Uint8Array<ArrayBuffer>,
  visit: {
    /** Throw to stop. */
    header(header: DecodedUpdateHeader): void;
    values(offset: number, values: Float32Array): void;
  },
): Promise<void> {
  const file = await open(path, "r");
  try {
    const prefix = await readAt(file, buffer, 0, Math.min(sizeBytes, LIMITS.maxUpdateHeaderBytes));
    const header = decodeUpdateHeader(prefix);
    if (header.sizeBytes !== sizeBytes) throw wrongLength(header, sizeBytes);
    visit.header(header);
    let position = header.payloadOffset;
    while (position < sizeBytes) {
      const piece = await readAt(file, buffer, position, Math.min(CHUNK_BYTES, sizeBytes - position));
      visit.values((position - header.payloadOffset) / 4, updateValues(piece));
      position += piece.length;
    }
  } finally {
    await file.close();
  }
}

/** Of what is small. */
export async function readWhole({ path, sizeBytes }: UpdateFile): Promise<Uint8Array<ArrayBuffer>> {
  const file = await open(path, "r");
  try {
    return await readAt(file, new Uint8Array(sizeBytes), 0, sizeBytes);
  } finally {
    await file.close();
  }
}

/** Read at once, whole: a short read of a local file means that someone else cut it. */
export async function readAt(
  file: FileHandle,
  buffer: Uint8Array<ArrayBuffer>,
  position: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  let read = 0;
  while (read < length) {
    const { bytesRead } = await file.read(buffer, read, length - read, position + read);
    if (bytesRead === 0) {
      throw failure("update/truncated", `update: the file ends at ${position + read}`, {
        detail: { got: position + read },
      });
    }
    read += bytesRead;
  }
  return buffer.subarray(0, length);
}

async function writable(path: string): Promise<FileHandle> {
  try {
    return await open(path, "wx", 0o600);
  } catch (error) {
    throw notWritten(error);
  }
}

/** A device may try again: there may be room by then. */
function notWritten(cause: unknown): TributaryError {
  const coded = storageFailure(cause, "the folder of uploads");
  return failure("store/unavailable", "update: the upload cannot be written to disk", { cause: coded });
}

function wrongLength({ header, sizeBytes }: DecodedUpdateHeader, got: number): TributaryError {
  return failure(
    "update/wrong-shape",
    `update: its header promises ${header.count} values, ${sizeBytes} bytes in all; the body has ${got}`,
    { detail: { expected: sizeBytes, got } },
  );
}
