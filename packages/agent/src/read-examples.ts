import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { failure, toFailure } from "@tributary/core";
import { exampleTable, ONLY_INPUT, readExampleTable, type ExampleTable } from "@tributary/engine/examples";
import { tensor } from "@tributary/tensor";

const MAX_FILE_BYTES = 2 ** 30;
const UNSIGNED_BYTE = 8;
const unzip = promisify(gunzip);

/**
 * Labelled examples from a safetensors file (a tensor for each input of the model, `labels`; see `readExampleTable`), or the
 * training part of a folder of IDX files, the MNIST format, plain or .gz.
 * @throws `dataset/*`
 */
export async function readExamples(path: string): Promise<ExampleTable> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined)
    throw failure("dataset/not-found", `examples: ${path} does not exist`, { detail: { path } });
  return info.isDirectory() ? await readIdx(path) : await readTensors(path);
}

async function readTensors(path: string): Promise<ExampleTable> {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await readFile(path));
  } catch (cause) {
    throw failure("dataset/not-found", `examples: ${path} cannot be read: ${toFailure(cause).message}`, {
      detail: { path },
      cause,
    });
  }
  try {
    return readExampleTable(bytes);
  } catch (cause) {
    const { code, message } = toFailure(cause);
    throw failure(code === "dataset/mismatch" ? code : "dataset/invalid", `examples: ${path}: ${message}`, {
      detail: { path },
      cause,
    });
  }
}

async function readIdx(folder: string): Promise<ExampleTable> {
  const images = await readIdxFile(folder, "train-images-idx3-ubyte", 3);
  const labels = await readIdxFile(folder, "train-labels-idx1-ubyte", 1);
  if (images.count !== labels.count) {
    throw invalid(folder, `has ${images.count} images and ${labels.count} labels`);
  }
  return exampleTable([
    [ONLY_INPUT, tensor("uint8", images.shape, images.data)],
    ["labels", tensor("uint8", [labels.count], labels.data)],
  ]);
}

/** Magic 0, 0, element type, rank; then each dimension as u32 big-endian; then the elements. */
async function readIdxFile(
  folder: string,
  name: string,
  rank: number,
): Promise<{ count: number; shape: readonly number[]; data: Uint8Array }> {
  const bytes = await readPlainOrGzip(join(folder, name));
  const headBytes = 4 + rank * 4;
  if (bytes.length < headBytes || bytes[2] !== UNSIGNED_BYTE || bytes[3] !== rank) {
    throw invalid(join(folder, name), `is not an IDX file of rank ${rank} with byte elements`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + axis * 4));
  const expected = headBytes + shape.reduce((product, size) => product * size, 1);
  if (bytes.length !== expected) {
    throw failure(
      bytes.length < expected ? "dataset/truncated" : "dataset/invalid",
      `examples: ${join(folder, name)} has ${bytes.length} bytes, its header says ${expected}`,
    );
  }
  return { count: shape[0]!, shape, data: bytes.subarray(headBytes) };
}

async function readPlainOrGzip(path: string): Promise<Uint8Array> {
  const plain = await readFile(path).catch(() => undefined);
  if (plain !== undefined) return new Uint8Array(plain);
  const zipped = await readFile(`${path}.gz`).catch(() => undefined);
  if (zipped === undefined) {
    throw failure("dataset/not-found", `examples: neither ${path} nor ${path}.gz exists`, {
      detail: { path },
    });
  }
  try {
    return new Uint8Array(await unzip(zipped, { maxOutputLength: MAX_FILE_BYTES }));
  } catch (cause) {
    throw failure("dataset/invalid", `examples: ${path}.gz cannot be unpacked`, { detail: { path }, cause });
  }
}

function invalid(path: string, what: string): Error {
  return failure("dataset/invalid", `examples: ${path} ${what}`, { detail: { path } });
}
