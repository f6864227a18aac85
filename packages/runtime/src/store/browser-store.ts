/** A page's store: blobs in the origin private file system where it can be written, everything else in IndexedDB. */
import type { Clock, Logger } from "@tributary/core";
import { lazyPart } from "../lazy-part.ts";
import type { DeviceStore } from "./device-store.ts";
import { openConnection, type Connection } from "./indexeddb-connection.ts";
import { createIndexedDbRecords } from "./indexeddb-records.ts";
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

const indexedDbBlobs = lazyPart("blobs in IndexedDB", () => import("./indexeddb-blobs.ts"));

/**
 * To be called in a dedicated worker; anywhere else blobs are in IndexedDB. That database is opened with its first use, which rejects
 * with `store/unavailable` where the browser refuses.
 */
export async function openBrowserStore(options: BrowserStoreOptions): Promise<DeviceStore> {
  const { name, clock, log, navigator: { locks, storage } = globalThis.navigator } = options;
  const connection = openConnection(name, clock);
  const records = createIndexedDbRecords(connection);
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
  if (blobs === undefined) {
    const { createIndexedDbBlobs } = await indexedDbBlobs.load();
    return {
      ...records,
      blobs: createIndexedDbBlobs(connection),
      space: { kind: "indexeddb", estimate },
      close: () => connection.close(),
    };
  }
  if (await hasBlobs(connection)) await (await indexedDbBlobs.load()).moveBlobs(connection, blobs, log);
  return {
    ...records,
    blobs,
    space: { kind: "opfs", estimate },
    async close() {
      await blobs.close();
      await connection.close();
    },
  };
}

/** Whether an earlier runtime left some; false where the database cannot be opened, which its first use tells. */
async function hasBlobs(connection: Connection): Promise<boolean> {
  const counts = await connection
    .use((database) => Promise.all([database.count("blobs"), database.count("partials")]))
    .catch(() => []);
  return counts.some((count) => count > 0);
}
