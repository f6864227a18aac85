import type { Feeds } from "@tributary/engine";
import type { ModelManifest } from "@tributary/protocol";
import type { DevicePorts, RunFeeds } from "../device.ts";
import { isImageInput } from "./image-input.ts";

/**
 * The feeds of a run, with tensors in the place of images.
 *
 * @returns at once where there is no image
 * @throws `runtime/unsupported-image`
 */
export function withTensors(
  manifest: Pick<ModelManifest, "inputs" | "processing">,
  feeds: RunFeeds,
  images: DevicePorts["images"],
): Feeds | Promise<Feeds> {
  return Object.values(feeds).some(isImageInput) ? imagesRead(manifest, feeds, images) : (feeds as Feeds);
}

/** Only who runs images loads what reads them. */
async function imagesRead(
  manifest: Pick<ModelManifest, "inputs" | "processing">,
  feeds: RunFeeds,
  images: DevicePorts["images"],
): Promise<Feeds> {
  const { readImages } = await import("./read-images.ts");
  return await readImages(manifest, feeds, await images?.());
}
