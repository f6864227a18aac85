import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { TributaryError } from "@tributary/core";
import { parseIdx, readIdxFolder } from "@tributary/simulator";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const DATA = path.resolve(
  import.meta.dirname,
  "../../../..",
  process.env["TRIBUTARY_DATA"] ?? "../shared/data",
);

function idx(shape: number[], data: Uint8Array, type = 8): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * shape.length + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(2, type);
  view.setUint8(3, shape.length);
  shape.forEach((dimension, i) => view.setUint32(4 + 4 * i, dimension));
  bytes.set(data, 4 + 4 * shape.length);
  return bytes;
}

const coded = (code: string): Error => expect.objectContaining({ code }) as Error;

describe("one IDX file", () => {
  test("comes back with its shape", () => {
    const { shape, data } = parseIdx(idx([2, 1, 3], new Uint8Array([1, 2, 3, 4, 5, 6])), "x");
    expect(shape).toEqual([2, 1, 3]);
    expect([...data]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test.each([
    ["nothing", new Uint8Array(), "dataset/truncated"],
    ["a gzip file", gzipSync("x"), "dataset/invalid"],
    ["floats", idx([1], new Uint8Array(4), 0x0d), "dataset/invalid"],
    ["a cut header", idx([1, 2], new Uint8Array(2)).subarray(0, 9), "dataset/truncated"],
    ["cut data", idx([5], new Uint8Array(4)), "dataset/truncated"],
    ["data behind the end", idx([3], new Uint8Array(4)), "dataset/invalid"],
    ["absurd dimensions", idx([0xffffffff, 0xffffffff], new Uint8Array(4)), "dataset/too-large"],
  ])("%s is a named error", (_name, bytes, code) => {
    expect(() => parseIdx(bytes, "x")).toThrow(coded(code));
  });

  test("random bytes never escape as anything but a named error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (noise) => {
        noise.fill(0, 0, 2);
        try {
          parseIdx(noise, "x");
        } catch (error) {
          expect(TributaryError.is(error)).toBe(true);
        }
      }),
    );
  });
});

describe("a folder", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "tributary-idx-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const images = idx([2, 2, 2], new Uint8Array(8).fill(7));
  const labels = idx([2], new Uint8Array([3, 4]));
  const write = (name: string, bytes: Uint8Array): Promise<void> => writeFile(path.join(folder, name), bytes);
  async function writeAll(): Promise<void> {
    await write("train-images-idx3-ubyte.gz", gzipSync(images));
    await write("train-labels-idx1-ubyte", labels);
    await write("t10k-images-idx3-ubyte", images);
    await write("t10k-labels-idx1-ubyte.gz", gzipSync(labels));
  }

  test("may mix plain files and .gz", async () => {
    await writeAll();
    const { train, test: held } = await readIdxFolder(folder);
    expect(train).toEqual({
      images: new Uint8Array(8).fill(7),
      labels: new Uint8Array([3, 4]),
      count: 2,
      rows: 2,
      columns: 2,
    });
    expect(held).toEqual(train);
  });

  test("that does not exist, or lacks a file, says which", async () => {
    await expect(readIdxFolder(path.join(folder, "nowhere"))).rejects.toMatchObject({
      code: "dataset/not-found",
      detail: { file: "train-images-idx3-ubyte" },
    });
    await writeAll();
    await rm(path.join(folder, "t10k-labels-idx1-ubyte.gz"));
    await expect(readIdxFolder(folder)).rejects.toMatchObject({
      code: "dataset/not-found",
      detail: { file: "t10k-labels-idx1-ubyte" },
    });
  });

  test.each([
    ["a cut .gz", "train-images-idx3-ubyte.gz", gzipSync(images).subarray(0, 20), "dataset/truncated"],
    ["a .gz that is none", "train-images-idx3-ubyte.gz", new Uint8Array(40), "dataset/invalid"],
    ["one label too many", "train-labels-idx1-ubyte", idx([3], new Uint8Array(3)), "dataset/mismatch"],
    [
      "images of another size",
      "t10k-images-idx3-ubyte",
      idx([2, 1, 4], new Uint8Array(8)),
      "dataset/mismatch",
    ],
    ["labels for images", "t10k-images-idx3-ubyte", labels, "dataset/invalid"],
  ])("%s is a named error", async (_name, file, bytes, code) => {
    await writeAll();
    await write(file, bytes);
    await expect(readIdxFolder(folder)).rejects.toThrow(coded(code));
  });
});

test("the real MNIST", async (context) => {
  const folder = path.join(DATA, "datasets/mnist");
  if (!existsSync(folder)) context.skip(`${folder} is absent: set TRIBUTARY_DATA`);
  const { train, test: held } = await readIdxFolder(folder);
  expect([train.count, held.count, train.rows, train.columns]).toEqual([60_000, 10_000, 28, 28]);
  expect([...train.labels.subarray(0, 5)]).toEqual([5, 0, 4, 1, 9]);
  expect([...held.labels.subarray(0, 5)]).toEqual([7, 2, 1, 0, 4]);
  expect(train.images.reduce((sum, value) => sum + value, 0) / train.images.length / 255).toBeCloseTo(
    0.1307,
    4,
  );
});
