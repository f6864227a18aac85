import { open } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { copyBytes, failure } from "@tributary/core";
import { MAX_IDX_ELEMENTS, parseIdx } from "./parse-idx.ts";

/** One part of an image data set. */
export interface IdxSplit {
  /** count * rows * columns bytes. */
  readonly images: Uint8Array<ArrayBuffer>;
  /** count bytes. */
  readonly labels: Uint8Array<ArrayBuffer>;
  readonly count: number;
  readonly rows: number;
  readonly columns: number;
}

/** A data set in MNIST's four files. */
export interface IdxDataset {
  readonly train: IdxSplit;
  readonly test: IdxSplit;
}

const MAX_FILE_BYTES = MAX_IDX_ELEMENTS + 64;
const unzip = promisify(gunzip);

/**
 * Reads `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`
 * of a folder, each plain or with `.gz`: MNIST, Fashion-MNIST and the like. Nothing is downloaded.
 * @throws TributaryError `dataset/*`, with the file in `detail.file`
 */
export async function readIdxFolder(folder: string): Promise<IdxDataset> {
  const train = await readSplit(folder, "train");
  const test = await readSplit(folder, "t10k");
  if (train.rows !== test.rows || train.columns !== test.columns) {
    throw failure(
      "dataset/mismatch",
      `${folder}: training images are ${train.rows} x ${train.columns}, test images ${test.rows} x ${test.columns}`,
    );
  }
  return { train, test };
}

async function readSplit(folder: string, prefix: string): Promise<IdxSplit> {
  const [imagesName, labelsName] = [`${prefix}-images-idx3-ubyte`, `${prefix}-labels-idx1-ubyte`];
  const images = parseIdx(await readPlainOrGzip(folder, imagesName), imagesName);
  const labels = parseIdx(await readPlainOrGzip(folder, labelsName), labelsName);
  if (images.shape.length !== 3)
    throw failure(
      "dataset/invalid",
      `${imagesName}: count x rows x columns expected, got ${images.shape.join(" x ")}`,
      { detail: { file: imagesName } },
    );
  if (labels.shape.length !== 1)
    throw failure("dataset/invalid", `${labelsName}: a list expected, got ${labels.shape.join(" x ")}`, {
      detail: { file: labelsName },
    });
  const [count, rows, columns] = images.shape as [number, number, number];
  if (labels.shape[0] !== count) {
    throw failure(
      "dataset/mismatch",
      `${folder}: ${count} images but ${labels.shape[0]} labels in ${prefix}`,
      { detail: { file: labelsName } },
    );
  }
  return { images: copyBytes(images.data), labels: copyBytes(labels.data), count, rows, columns };
}

async function readPlainOrGzip(folder: string, name: string): Promise<Uint8Array> {
  const plain = await readBounded(path.join(folder, name), name);
  if (plain !== undefined) return plain;
  const zipped = await readBounded(path.join(folder, `${name}.gz`), `${name}.gz`);
  if (zipped === undefined) {
    throw failure(
      "dataset/not-found",
      `${folder}: neither ${name} nor ${name}.gz is there; put MNIST's four files into it`,
      { detail: { file: name } },
    );
  }
  try {
    return await unzip(zipped, { maxOutputLength: MAX_FILE_BYTES });
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code;
    const code =
      reason === "ERR_BUFFER_TOO_LARGE"
        ? "dataset/too-large"
        : reason === "Z_BUF_ERROR"
          ? "dataset/truncated"
          : "dataset/invalid";
    throw failure(code, `${name}.gz: ${(cause as Error).message}`, { cause, detail: { file: `${name}.gz` } });
  }
}

/** The file's bytes; undefined when it does not exist. */
async function readBounded(file: string, name: string): Promise<Uint8Array | undefined> {
  try {
    await using handle = await open(file, "r");
    const { size } = await handle.stat();
    if (size > MAX_FILE_BYTES)
      throw failure("dataset/too-large", `${name}: ${size} bytes exceed ${MAX_FILE_BYTES}`, {
        detail: { file: name },
      });
    return await handle.readFile();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    if (error instanceof Error && "syscall" in error)
      throw failure("dataset/invalid", `${name}: ${error.message}`, { cause: error, detail: { file: name } });
    throw error;
  }
}
