/** Blobs in IndexedDB, of a browser that has no files for them. Loaded only there, and once where an earlier runtime kept some. */
import { toFailure, type Digest, type Logger } from "@tributary/core";
import type { BlobCache } from "./device-store.ts";
import type { Connection } from "./indexeddb-connection.ts";

/** A runtime that knew only IndexedDB kept blobs there. They are moved, so that a page that was updated still starts offline. */
export async function moveBlobs(connection: Connection, to: BlobCache, log: Logger): Promise<void> {
  const from = createIndexedDbBlobs(connection);
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

/** All chunks of one digest. */
function chunksOf(digest: string): IDBKeyRange {
  return IDBKeyRange.bound([digest, 0], [digest, Infinity]);
}

export function createIndexedDbBlobs(connection: Connection): BlobCache {
  return {
    read: (digest) => connection.use((database) => database.get("blobs", digest)),
    write: (digest, bytes) =>
      connection.use(async (database) => {
        const transaction = database.transaction(["blobs", "partials"], "readwrite");
        await Promise.all([
          transaction.objectStore("blobs").put(bytes.slice(), digest),
          transaction.objectStore("partials").delete(chunksOf(digest)),
          transaction.done,
        ]);
      }),
    delete: (digest) => connection.use((database) => database.delete("blobs", digest)),
    list: () =>
      connection.use(async (database) => {
        const found: { digest: never; sizeBytes: number }[] = [];
        let cursor = await database.transaction("blobs").store.openCursor();
        for (; cursor !== null; cursor = await cursor.continue()) {
          found.push({ digest: cursor.key as never, sizeBytes: cursor.value.length });
        }
        return found;
      }),
    readPartial: (digest) =>
      connection.use(async (database) => {
        const chunks = await database.getAll("partials", chunksOf(digest));
        if (chunks.length === 0) return undefined;
        const whole = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
        let offset = 0;
        for (const chunk of chunks) {
          whole.set(chunk, offset);
          offset += chunk.length;
        }
        return whole;
      }),
    appendPartial: (digest, offset, chunk) =>
      connection.use(async (database) => {
        const transaction = database.transaction("partials", "readwrite");
        if (offset === 0) await transaction.store.delete(chunksOf(digest));
        const last = await transaction.store.openCursor(chunksOf(digest), "prev");
        const kept = last === null ? 0 : last.key[1] + last.value.length;
        if (kept !== offset) {
          transaction.abort();
          await transaction.done.catch(() => undefined);
          throw new RangeError(`appendPartial: ${kept} bytes are kept, got offset ${offset}`);
        }
        await Promise.all([transaction.store.put(chunk.slice(), [digest, offset]), transaction.done]);
      }),
    deletePartial: (digest) => connection.use((database) => database.delete("partials", chunksOf(digest))),
    listPartials: () =>
      connection.use(async (database) => {
        const found = new Map<string, number>();
        let cursor = await database.transaction("partials").store.openCursor();
        for (; cursor !== null; cursor = await cursor.continue()) {
          const [digest, offset] = cursor.key;
          found.set(digest, offset + cursor.value.length);
        }
        return [...found].map(([digest, sizeBytes]) => ({ digest: digest as Digest, sizeBytes }));
      }),
  };
}
