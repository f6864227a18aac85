import { place, type Size } from "./fit.ts";
import type { ImageReader } from "./image-tensor.ts";

/** Frames and encoded images through the browser's own decoders and canvas, in the worker. */
export function createCanvasReader(): ImageReader {
  let canvas: OffscreenCanvas | undefined;
  /** One canvas is read again and again: streams have images of one size. */
  const contextOf = ({ width, height }: Size): OffscreenCanvasRenderingContext2D => {
    if (canvas?.width !== width || canvas.height !== height) canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    if (context === null) throw new Error("this browser has no 2D canvas in workers");
    return context;
  };
  return {
    async read(input, size, fit) {
      const frame = input.image === "frame" ? input.frame : await createImageBitmap(input.blob);
      try {
        const context = contextOf(size);
        context.fillStyle = "black";
        context.fillRect(0, 0, size.width, size.height);
        context.imageSmoothingQuality = "high";
        const { from, to } = place(sizeOf(frame), size, fit);
        context.drawImage(frame, from.x, from.y, from.width, from.height, to.x, to.y, to.width, to.height);
        const { data } = context.getImageData(0, 0, size.width, size.height);
        return withoutAlpha(data);
      } finally {
        frame.close();
      }
    },
  };
}

function sizeOf(frame: ImageBitmap | VideoFrame): Size {
  return "displayWidth" in frame
    ? { width: frame.displayWidth, height: frame.displayHeight }
    : { width: frame.width, height: frame.height };
}

function withoutAlpha(rgba: Uint8ClampedArray): Uint8ClampedArray {
  const rgb = new Uint8ClampedArray((rgba.length / 4) * 3);
  for (let read = 0, write = 0; read < rgba.length; read += 4) {
    rgb[write++] = rgba[read]!;
    rgb[write++] = rgba[read + 1]!;
    rgb[write++] = rgba[read + 2]!;
  }
  return rgb;
}
