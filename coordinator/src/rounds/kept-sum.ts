import { createHash } from "node:crypto";
import { open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { decodeUtf8, encodeUtf8, failure, type DeviceId, type Digest } from "@tributary/core";
import type { SavedSum } from "@tributary/federation/aggregation";
import { storageFailure, syncFolder, writeAll } from "../durable-files.ts";

/** The checkpoint of a round: a sum and whose updates are in it, which are never apart. */
export interface KeptSum {
  readonly members: readonly (readonly [DeviceId, Digest])[];
  readonly numExamples: number;
  /** Coordinates of `trainingMetrics`, summed. */
  readonly metrics: readonly number[];
  readonly bytesUp: number;
  readonly sum: SavedSum;
}

interface Header extends Omit<KeptSum, "sum"> {
  readonly numbers: readonly number[];
  readonly lengths: readonly number[];
}

const MAGIC = encodeUtf8("tributary sum 1\n");
const DIGEST_BYTES = 32;

/**
 * Replaces the file at once: a crash leaves the sum before, or this one, on disk. Layout: magic, header length (uint32), header
 * (JSON), zeros up to a multiple of 8, the vectors (float64, as in memory), SHA-256 of everything before.
 *
 * @throws `store/quota-exceeded`, `store/unavailable`
 */
export async function writeKeptSum(path: string, { sum, ...kept }: KeptSum): Promise<void> {
  const lengths = sum.vectors.map(({ length }) => length);
  const header = encodeUtf8(JSON.stringify({ ...kept, numbers: sum.numbers, lengths } satisfies Header));
  const head = new Uint8Array(vectorsAt(header.length));
  head.set(MAGIC);
  new DataView(head.buffer).setUint32(MAGIC.length, header.length);
  head.set(header, MAGIC.length + 4);
  const hash = createHash("sha256");
  const temporary = `${path}.new`;
  try {
    const file = await open(temporary, "w", 0o600);
    try {
      for (const part of [head, ...sum.vectors.map(bytesOf)]) {
        hash.update(part);
        await writeAll(file, part);
      }
      await writeAll(file, hash.digest());
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    throw storageFailure(error, "the folder of uploads");
  }
}

/**
 * Undefined where there is none.
 *
 * @throws `store/corrupt` when it is not byte for byte what was written
 */
export async function readKeptSum(path: string): Promise<KeptSum | undefined> {
  const bytes = await readFile(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw storageFailure(error, "the folder of uploads");
  });
  if (bytes === undefined) return undefined;
  const end = bytes.length - DIGEST_BYTES;
  const digest = createHash("sha256")
    .update(bytes.subarray(0, Math.max(0, end)))
    .digest();
  if (
    end < MAGIC.length + 4 ||
    !digest.equals(bytes.subarray(end)) ||
    !bytes.subarray(0, MAGIC.length).equals(MAGIC)
  )
    throw failure("store/corrupt", `rounds: ${path} is not the sum that was written`);
  const headerLength = new DataView(bytes.buffer, bytes.byteOffset).getUint32(MAGIC.length);
  const from = MAGIC.length + 4;
  const { numbers, lengths, ...kept } = JSON.parse(
    decodeUtf8(bytes.subarray(from, from + headerLength)),
  ) as Header;
  let at = vectorsAt(headerLength);
  const vectors = lengths.map((length) => {
    const vector = new Float64Array(length);
    bytesOf(vector).set(bytes.subarray(at, at + vector.byteLength));
    at += vector.byteLength;
    return vector;
  });
  return { ...kept, sum: { numbers, vectors } };
}

function vectorsAt(headerLength: number): number {
  return Math.ceil((MAGIC.length + 4 + headerLength) / 8) * 8;
}

function bytesOf(vector: Float64Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
}
