/** A page's store: blobs in the origin private file system where it can be written, everything else in IndexedDB. */
import { toFailure, type Clock, type Logger } from "@tributary/core";
import type { BlobCache, DeviceStore } from "./device-store.ts";
import { createIndexedDbStore } from "./indexeddb-store.ts";
import { openOpfsBlobs } from "./opfs-blobs.ts";

export interface BrowserStoreOptions {
  /** One per coordinator and population. */
  readonly name: string;
  readonly clock: Pick<Clock, "schedule">;
  readonly log: Logger;
  /** @defaultValue the worker's `navigator` */
  readonly navigator?: {
    readonly locks: Pick<LockManager, "request">;
    readonly storage?: Pick<StorageManager, "getDirectory" | "estimate" | "persisted">;
  };
}

/** To be called in a dedicated worker; anywhere else blobs stay in IndexedDB. */
export async function openBrowserStore(options: BrowserStoreOptions): Promise<DeviceStore> {
  const { name, clock, log, navigator: { locks, storage } = globalThis.navigator } = options;
  const store = createIndexedDbStore({ name, clock });
  const blobs = storage === undefined ? undefined : await openOpfsBlobs({ name, locks, storage });
  const estimate = async () => {
    const { usage, quota } = (await storage?.estimate?.()) ?? {};
    const persisted = await storage?.persisted?.();
    return {
      ...(usage === undefined ? {} : { usageBytes: usage }),
      ...(quota === undefined ? {} : { quotaBytes: quota }),
      ...(persisted === undefined ? {} : { persisted }),
    };
  };
  if (blobs === undefined) return { ...store, space: { kind: "indexeddb", estimate } };
  await moveBlobs(store.blobs, blobs, log);
  return {
    ...store,
    blobs,
    space: { kind: "opfs", estimate },
    async close() {
      await blobs.close();
      await store.close();
    },
  };
}

/** A runtime that knew only IndexedDB kept blobs there. They are moved, so that a page that was updated still starts offline. */
async function moveBlobs(from: BlobCache, to: BlobCache, log: Logger): Promise<void> {
  try {
    for (const { digest } of await from.listPartials()) await from.deletePartial(digest);
    for (const { digest } of await from.list()) {
      const bytes = await from.read(digest);
      // What does not fit is fetched again when it is needed.
      if (bytes !== undefined) await to.write(digest, bytes).catch(() => undefined);
      await from.delete(digest);
    }
  } catch (error) {
    log.warn("the blobs of an earlier runtime could not be moved", { error: toFailure(error) });
  }
}
