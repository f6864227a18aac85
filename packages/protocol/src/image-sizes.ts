import type { ImageProcessing } from "./model-processing.ts";

/** Of one row of an input; undefined where the shape is that of no image. */
export function imageSizes(
  layout: ImageProcessing["layout"],
  shape: readonly number[],
): { readonly channels: number; readonly height: number; readonly width: number } | undefined {
  if (shape.length !== 4) return undefined;
  const [, a, b, c] = shape as readonly [number, number, number, number];
  const [channels, height, width] = layout === "nchw" ? [a, b, c] : [c, a, b];
  return channels > 0 && height > 0 && width > 0 && shape[0] !== 0 ? { channels, height, width } : undefined;
}
