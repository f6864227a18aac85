import type { Feeds } from "@tributary/engine";
import type { ModelManifest } from "@tributary/protocol";
import type { RunFeeds } from "../device.ts";
import { isImageInput, unsupported } from "./image-input.ts";
import { imageTensor, type ImageReader } from "./image-tensor.ts";

/** The feeds of a run with tensors in the place of images. @throws `runtime/unsupported-image` */
export async function readImages(
  { inputs, processing }: Pick<ModelManifest, "inputs" | "processing">,
  feeds: RunFeeds,
  reader: ImageReader | undefined,
): Promise<Feeds> {
  const read: Record<string, Feeds[string]> = {};
  for (const [name, value] of Object.entries(feeds)) {
    if (!isImageInput(value)) {
      read[name] = value;
      continue;
    }
    const port = inputs.find((each) => each.name === name);
    const how = processing?.inputs?.[name];
    if (port === undefined || how?.kind !== "image")
      throw unsupported(name, "the version that runs takes none");
    read[name] = await imageTensor(port, how, value, reader);
  }
  return read;
}
