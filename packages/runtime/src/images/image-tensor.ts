import { imageSizes, type GraphPort, type ImageProcessing } from "@tributary/protocol";
import { tensor, type Tensor } from "@tributary/tensor";
import { place } from "./fit.ts";
import { unsupported, type ImageInput } from "./image-input.ts";
import { resample } from "./resample.ts";
import type { Size } from "./fit.ts";

/** Reads what only the platform can. */
export interface ImageReader {
  /** RGB in [0, 255], row by row, of the size, on black. Closes frames. */
  read(
    input: Exclude<ImageInput, { readonly image: "raw" }>,
    size: Size,
    fit: ImageProcessing["fit"],
  ): Promise<ArrayLike<number>>;
}

/**
 * One row of an input, made of an image as the model's manifest says.
 *
 * @throws `runtime/unsupported-image`
 */
export async function imageTensor(
  { name, shape }: GraphPort,
  processing: ImageProcessing,
  input: ImageInput,
  reader: ImageReader | undefined,
): Promise<Tensor> {
  const size = imageSizes(processing.layout, shape);
  if (size === undefined) throw unsupported(name, `the model's input [${shape.join()}] is none for images`);
  const rgb = await readPixels(name, processing, input, size, reader);
  const { channels, height, width } = size;
  return tensor("float32", [1, ...shape.slice(1)], normalized(rgb, processing, channels, height * width));
}

async function readPixels(
  name: string,
  { fit }: ImageProcessing,
  input: ImageInput,
  size: Size,
  reader: ImageReader | undefined,
): Promise<ArrayLike<number>> {
  if (input.image === "raw") return resample(input.data, input, size, place(input, size, fit));
  if (reader === undefined) {
    throw unsupported(name, "here only raw images { width, height, data } are taken: decode it first");
  }
  try {
    return await reader.read(input, size, fit);
  } catch (cause) {
    throw unsupported(name, (cause as Error).message, cause);
  }
}

function normalized(
  rgb: ArrayLike<number>,
  { layout, channels: order, invert = false, mean = [0], standardDeviation = [1] }: ImageProcessing,
  channels: number,
  pixels: number,
): Float32Array<ArrayBuffer> {
  const values = new Float32Array(channels * pixels);
  const [pixelStep, channelStep] = layout === "nchw" ? [1, pixels] : [channels, 1];
  for (let channel = 0; channel < channels; channel++) {
    const center = mean[channel] ?? mean[0]!;
    const spread = standardDeviation[channel] ?? standardDeviation[0]!;
    const component = order === "bgr" ? 2 - channel : channel;
    for (let pixel = 0; pixel < pixels; pixel++) {
      const at = 3 * pixel;
      const level =
        order === "gray"
          ? 0.299 * rgb[at]! + 0.587 * rgb[at + 1]! + 0.114 * rgb[at + 2]!
          : rgb[at + component]!;
      const value = invert ? 1 - level / 255 : level / 255;
      values[pixel * pixelStep + channel * channelStep] = (value - center) / spread;
    }
  }
  return values;
}
