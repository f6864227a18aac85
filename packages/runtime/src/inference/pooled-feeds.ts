import type { RunFeeds } from "../device.ts";
import { isImageInput } from "../images/image-input.ts";
import type { BufferPool } from "./buffer-pool.ts";

/** An app's tensors in memory of the pool. Images were taken down before. */
export function copyFeeds(feeds: RunFeeds, pool: BufferPool): RunFeeds {
  const copies: Record<string, RunFeeds[string]> = {};
  for (const [name, value] of Object.entries(feeds)) {
    copies[name] = isImageInput(value) ? value : { ...value, data: pool.copy(value.data) };
  }
  return copies;
}

/** Once nobody reads them any more. */
export function giveBackFeeds(feeds: RunFeeds, pool: BufferPool): void {
  for (const value of Object.values(feeds)) {
    if (!isImageInput(value)) pool.giveBack(value.data.buffer);
  }
}
