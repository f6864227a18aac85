import type { GraphPort, ImageProcessing } from "@tributary/protocol";
import { describe, expect, test } from "vitest";
import { imageTensor } from "../../src/images/image-tensor.ts";
import { onlyImage, toRunFeeds } from "../../src/images/split-images.ts";

const port: GraphPort = { name: "image", dtype: "float32", shape: [-1, 3, 1, 2] };
const base: ImageProcessing = { kind: "image", layout: "nchw", channels: "rgb", fit: "stretch" };
/** One pixel red, the other (0, 51, 102). */
const raw = { width: 2, height: 1, data: Uint8ClampedArray.of(255, 0, 0, 255, 0, 51, 102, 255) };
const values = async (processing: Partial<ImageProcessing>, shape: readonly number[] = port.shape) => {
  const made = await imageTensor(
    { ...port, shape },
    { ...base, ...processing },
    { image: "raw", ...raw },
    undefined,
  );
  expect(made.shape).toEqual([1, ...shape.slice(1)]);
  return Array.from(made.data as Float32Array, (value) => Math.round(1e4 * value) / 1e4);
};

describe("a tensor of an image", () => {
  test("has channels apart, or together, in the order that is asked for", async () => {
    expect(await values({})).toEqual([1, 0, 0, 0.2, 0, 0.4]);
    expect(await values({ layout: "nhwc" }, [-1, 1, 2, 3])).toEqual([1, 0, 0, 0, 0.2, 0.4]);
    expect(await values({ channels: "bgr" })).toEqual([0, 0.4, 0, 0.2, 1, 0]);
    expect(await values({ channels: "gray" }, [-1, 1, 1, 2])).toEqual([0.299, 0.163]);
  });

  test("is inverted and normalized", async () => {
    expect(await values({ invert: true })).toEqual([0, 1, 1, 0.8, 1, 0.6]);
    expect(await values({ mean: [0.5], standardDeviation: [0.5] })).toEqual([1, -1, -1, -0.6, -1, -0.2]);
    expect(await values({ mean: [1, 0, 0.4], standardDeviation: [1, 0.1, 2] })).toEqual([
      0, -1, 0, 2, -0.2, 0,
    ]);
  });

  test("is made of raw pixels alone where there is no canvas", async () => {
    const blob = { image: "encoded", blob: new Blob() } as const;
    await expect(imageTensor(port, base, blob, undefined)).rejects.toMatchObject({
      code: "runtime/unsupported-image",
      message: expect.stringContaining("decode it first"),
    });
  });
});

describe("what an app feeds", () => {
  const inputs: readonly GraphPort[] = [port, { name: "scale", dtype: "float32", shape: [-1, 1] }];
  const processing = { inputs: { image: base } };

  test("an image and a tensor go together; pixels are copied unless given", async () => {
    const feeds = await toRunFeeds({ inputs, processing }, { image: raw, scale: [2] }, false);
    expect(feeds).toMatchObject({ image: { image: "raw", width: 2 }, scale: { dtype: "float32" } });
    expect((feeds["image"] as typeof raw).data).not.toBe(raw.data);
    const given = await toRunFeeds({ inputs, processing }, { image: raw, scale: [2] }, true);
    expect((given["image"] as typeof raw).data).toBe(raw.data);
  });

  test("an image for an input that is none, or of another size than its pixels, is refused", async () => {
    expect(() => toRunFeeds({ inputs }, { image: raw, scale: [2] }, false)).toThrowError(
      expect.objectContaining({ code: "engine/input-mismatch" }),
    );
    const wrong = { ...raw, width: 3 };
    await expect(
      toRunFeeds({ inputs, processing }, { image: wrong, scale: [2] }, false),
    ).rejects.toMatchObject({ code: "runtime/unsupported-image" });
    expect(() => toRunFeeds({ inputs, processing }, { image: raw }, false)).toThrowError(
      expect.objectContaining({ code: "engine/missing-input" }),
    );
    expect(() => onlyImage({ inputs }, raw)).toThrowError(
      expect.objectContaining({ code: "engine/input-mismatch" }),
    );
  });
});
