import { failure } from "@tributary/core";
import { elementCount, readSafetensors } from "@tributary/tensor";

/** Labelled examples, flat. */
export interface Dataset {
  /** float32, or bytes that stand for value / 255. */
  readonly images: Float32Array | Uint8Array;
  /** Classes, or numbers, `labelSize` for each example. */
  readonly labels: Int32Array | Float32Array;
  readonly labelSize: number;
  /** Values of one example. */
  readonly exampleSize: number;
}

/**
 * Reads a held-out data set: safetensors with `images` (float32 or uint8, [N, ...]) and `labels` (classes as
 * int32 [N], or numbers as float32 [N, ...]).
 *
 * @throws `dataset/invalid`, `dataset/mismatch`, `safetensors/*`
 */
export function readDataset(bytes: Uint8Array): Dataset {
  const { tensors } = readSafetensors(bytes);
  const images = tensors.get("images");
  const labels = tensors.get("labels");
  if (images === undefined || labels === undefined) {
    throw failure(
      "dataset/invalid",
      `dataset: tensors "images" and "labels" expected, got ${[...tensors.keys()].join()}`,
    );
  }
  const isClasses = labels.dtype === "int32" && labels.shape.length === 1;
  const isNumbers = labels.dtype === "float32" && labels.shape.length > 0;
  if (!isClasses && !isNumbers) {
    throw failure(
      "dataset/invalid",
      `dataset: labels int32 [N] or float32 [N, ...] expected, got ${labels.dtype} [${labels.shape.join()}]`,
    );
  }
  const { data } = images;
  if (!(data instanceof Float32Array) && !(images.dtype === "uint8" && data instanceof Uint8Array)) {
    throw failure("dataset/invalid", `dataset: images of float32 or uint8 expected, got ${images.dtype}`);
  }
  const [count = 0, ...rest] = images.shape;
  if (count === 0 || count !== labels.shape[0]) {
    throw failure("dataset/mismatch", `dataset: ${count} images and ${labels.shape[0] ?? 0} labels`);
  }
  return {
    images: data,
    labels: labels.data as Int32Array | Float32Array,
    labelSize: elementCount(labels.shape.slice(1)),
    exampleSize: elementCount(rest),
  };
}
