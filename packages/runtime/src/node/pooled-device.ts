import type { Device } from "../device.ts";
import { createBufferPool } from "../inference/buffer-pool.ts";
import { copyFeeds, giveBackFeeds } from "../inference/pooled-feeds.ts";

/** The same device, in this thread, that copies what it is fed: the engine reads it in threads of its own while the app goes on. */
export function withPooledFeeds(device: Device): Device {
  const pool = createBufferPool(ArrayBuffer);
  return {
    ...device,
    copiesFeeds: true,
    async run(model, feeds, options = {}) {
      if (options.transfer === true) return await device.run(model, feeds, options);
      const kept = copyFeeds(feeds, pool);
      const answer = await device.run(model, kept, options);
      // A run that failed, or whose call was cancelled, may read them still.
      giveBackFeeds(kept, pool);
      return answer;
    },
  };
}
