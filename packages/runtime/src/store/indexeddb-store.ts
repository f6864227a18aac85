/** A device's store in the browser. The browser may clear it at any time: what is missing is fetched or made anew. */
import type { Clock, Digest } from "@tributary/core";
import type { LabelValues } from "@tributary/engine/batches";
import type { TensorData } from "@tributary/tensor";
import type { DeviceStore, StoredExample } from "./device-store.ts";
import { MAX_EXAMPLES } from "./device-store.ts";
import { openConnection } from "./indexeddb-connection.ts";
import type { Connection } from "./indexeddb-connection.ts";

export interface IndexedDbStoreOptions {
  /** Name of the database; one per coordinator and population. */
  readonly name: string;
  readonly clock: Pick<Clock, "schedule">;
}

const ONLY = "device";

/** Opens nothing yet: the first use does, and rejects with `store/unavailable` where the browser refuses. */
export function createIndexedDbStore(options: IndexedDbStoreOptions): DeviceStore {
  const connection = openConnection(options.name, options.clock);
  return {
    needsExtractableKeys: false,
    identity: {
      read: () => connection.use((database) => database.get("identity", ONLY)),
      write: (identity) =>
        connection.use(async (database) => {
          await database.put("identity", identity, ONLY);
        }),
      clear: () => connection.use((database) => database.delete("identity", ONLY)),
    },
    metadata: {
      read: (role) => connection.use((database) => database.get("metadata", role)),
      write: (role, bytes) =>
        connection.use(async (database) => {
          await database.put("metadata", own(bytes), role);
        }),
      delete: (role) => connection.use((database) => database.delete("metadata", role)),
    },
    blobs: blobsOf(connection),
    models: {
      read: (model, channel) => connection.use((database) => database.get("models", [model, channel])),
      write: (installed) =>
        connection.use(async (database) => {
          await database.put("models", installed, [installed.model, installed.channel]);
        }),
      delete: (model, channel) => connection.use((database) => database.delete("models", [model, channel])),
      list: () => connection.use((database) => database.getAll("models")),
    },
    examples: examplesOf(connection),
    settings: {
      read: (key) => connection.use((database) => database.get("settings", key)),
      write: (key, value) =>
        connection.use(async (database) => {
          await database.put("settings", value, key);
        }),
      delete: (key) => connection.use((database) => database.delete("settings", key)),
    },
    close: () => connection.close(),
  };
}

/** All chunks of one digest. */
function chunksOf(digest: string): IDBKeyRange {
  return IDBKeyRange.bound([digest, 0], [digest, Infinity]);
}

function blobsOf(connection: Connection): DeviceStore["blobs"] {
  return {
    read: (digest) => connection.use((database) => database.get("blobs", digest)),
    write: (digest, bytes) =>
      connection.use(async (database) => {
        const transaction = database.transaction(["blobs", "partials"], "readwrite");
        await Promise.all([
          transaction.objectStore("blobs").put(own(bytes), digest),
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
        await Promise.all([transaction.store.put(own(chunk), [digest, offset]), transaction.done]);
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

function examplesOf(connection: Connection): DeviceStore["examples"] {
  return {
    add: (model, examples) =>
      connection.use(async (database) => {
        const transaction = database.transaction("examples", "readwrite");
        const { store } = transaction;
        await Promise.all(
          examples.map(({ inputs, label }) =>
            store.add({ model, inputs: inputs.map((values) => own(values)), label: ownLabel(label) }),
          ),
        );
        const index = store.index("model");
        let surplus = (await index.count(model)) - MAX_EXAMPLES;
        let cursor = surplus > 0 ? await index.openCursor(model) : null;
        for (; cursor !== null && surplus > 0; surplus--) {
          await cursor.delete();
          cursor = await cursor.continue();
        }
        await transaction.done;
      }),
    count: (model) => connection.use((database) => database.countFromIndex("examples", "model", model)),
    read: (model) =>
      connection.use(async (database) => {
        const rows = await database.getAllFromIndex("examples", "model", model);
        return rows.map((row): StoredExample => ({
          inputs: "features" in row ? [row.features] : row.inputs,
          label: row.label,
        }));
      }),
    clear: (model) =>
      connection.use(async (database) => {
        const transaction = database.transaction("examples", "readwrite");
        let cursor = await transaction.store.index("model").openCursor(model);
        for (; cursor !== null; cursor = await cursor.continue()) await cursor.delete();
        await transaction.done;
      }),
  };
}

/** A copy that owns its buffer: storing a view would clone all of the memory behind it. */
function own<T extends TensorData>(
  values: T,
): T extends Float32Array ? Float32Array<ArrayBuffer> : T extends Uint8Array ? Uint8Array<ArrayBuffer> : T {
  return values.slice() as never;
}

function ownLabel(label: StoredExample["label"]): StoredExample["label"] {
  const values = (each: LabelValues): LabelValues => (typeof each === "number" ? each : own(each));
  if (typeof label === "number" || label instanceof Float32Array) return values(label);
  return Object.fromEntries(Object.entries(label).map(([name, each]) => [name, values(each)]));
}
