import { tensor, writeSafetensors } from "@tributary/tensor";
import { IMAGE_SIDE } from "./digits/pen.ts";
import type { LabelledImages } from "./fleet/shards.ts";

/** Labelled 28 x 28 images as a task's held-out file: safetensors with `images` [n,1,28,28] uint8 and `labels` [n] int32. */
export function labelledImagesFile({ images, labels }: LabelledImages): Uint8Array<ArrayBuffer> {
  const count = labels.length;
  return writeSafetensors([
    ["images", tensor("uint8", [count, 1, IMAGE_SIDE, IMAGE_SIDE], images)],
    ["labels", tensor("int32", [count], Int32Array.from(labels))],
  ]);
}
