/** Images as apps have them, and as they cross to where the model runs. */
import { failure } from "@tributary/core";

/** RGBA, row by row, 4 bytes a pixel: an `ImageData`, or what a decoder gives in Node. */
export interface RawImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray | Uint8Array;
}

/** What an input that the model declares as an image takes. Node takes raw images alone. */
export type ImageSource =
  | RawImage
  | ImageData
  | ImageBitmap
  | VideoFrame
  | OffscreenCanvas
  | HTMLCanvasElement
  | HTMLImageElement
  | HTMLVideoElement
  | Blob;

/** An image on its way to the model: plain data, or handed over. */
export type ImageInput =
  | {
      readonly image: "raw";
      readonly width: number;
      readonly height: number;
      readonly data: Uint8ClampedArray<ArrayBuffer> | Uint8Array<ArrayBuffer>;
    }
  /** Handed over, and closed once it was read. */
  | { readonly image: "frame"; readonly frame: ImageBitmap | VideoFrame }
  | { readonly image: "encoded"; readonly blob: Blob };

/** Longest side, in pixels. */
const MAX_SIDE = 16_384;

type Platform = Readonly<Record<string, (new () => object) | undefined>>;

function isA(value: object, ...names: readonly string[]): boolean {
  return names.some((name) => {
    const constructor = (globalThis as unknown as Platform)[name];
    return constructor !== undefined && value instanceof constructor;
  });
}

export function isImageSource(value: unknown): value is ImageSource {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return false;
  return (
    isRaw(value) ||
    isA(value, "ImageBitmap", "VideoFrame", "OffscreenCanvas", "HTMLCanvasElement", "Blob") ||
    isA(value, "HTMLImageElement", "HTMLVideoElement")
  );
}

function isRaw(value: object): value is RawImage {
  return (
    "width" in value &&
    "height" in value &&
    "data" in value &&
    (value.data instanceof Uint8ClampedArray || value.data instanceof Uint8Array)
  );
}

export function isImageInput(value: object): value is ImageInput {
  return "image" in value;
}

/**
 * The image as it crosses. Raw pixels are copied unless `given`; an ImageBitmap and a VideoFrame are handed over, whatever
 * else shows a picture is taken down as it is now.
 *
 * @throws `runtime/unsupported-image`
 */
export async function toImageInput(input: string, source: ImageSource, given: boolean): Promise<ImageInput> {
  if (isRaw(source)) {
    const { width, height, data } = source;
    if (!isSide(width) || !isSide(height) || data.length !== 4 * width * height) {
      throw unsupported(
        input,
        `expected width and height of 1 to ${MAX_SIDE} and 4 bytes (RGBA) a pixel, got ${width}x${height} and ${data.length} bytes`,
      );
    }
    return { image: "raw", width, height, data: (given ? data : data.slice()) as Uint8Array<ArrayBuffer> };
  }
  if (isA(source, "Blob")) return { image: "encoded", blob: source as Blob };
  if (isA(source, "ImageBitmap", "VideoFrame")) {
    return { image: "frame", frame: source as ImageBitmap | VideoFrame };
  }
  try {
    return { image: "frame", frame: await createImageBitmap(source as Exclude<ImageSource, RawImage>) };
  } catch (cause) {
    throw unsupported(input, `it shows no picture yet: ${(cause as Error).message}`, cause);
  }
}

function isSide(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1 && value <= MAX_SIDE;
}

/** What is handed over with an image. */
export function transferablesOf(input: ImageInput, given: boolean): Transferable[] {
  switch (input.image) {
    case "raw":
      return given ? [input.data.buffer] : [];
    case "frame":
      return [input.frame];
    case "encoded":
      return [];
  }
}

export function unsupported(input: string, why: string, cause?: unknown): Error {
  return failure("runtime/unsupported-image", `run: the image for "${input}" cannot be read: ${why}`, {
    detail: { input },
    ...(cause === undefined ? {} : { cause }),
  });
}
