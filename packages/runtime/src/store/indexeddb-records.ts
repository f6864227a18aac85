/** All of a page's store but its blobs. The browser may clear it at any time: what is missing is fetched or made anew. */
import type { ModelName } from "@tributary/core";
import type { DeviceStore, ExamplePage } from "./device-store.ts";
import type { Connection, StoredExampleRow } from "./indexeddb-connection.ts";

const ONLY = "device";

export function createIndexedDbRecords(
  connection: Connection,
): Omit<DeviceStore, "blobs" | "space" | "close"> {
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
    examplesKey: keyOf(connection),
    learned: learnedOf(connection),
    settings: {
      read: (key) => connection.use((database) => database.get("settings", key)),
      write: (key, value) =>
        connection.use(async (database) => {
          await database.put("settings", value, key);
        }),
      delete: (key) => connection.use((database) => database.delete("settings", key)),
      keys: () => connection.use((database) => database.getAllKeys("settings")),
    },
  };
}

function examplesOf(connection: Connection): DeviceStore["examples"] {
  return {
    models: () =>
      connection.use(async (database) => {
        const found: ModelName[] = [];
        let cursor = await database
          .transaction("examples")
          .store.index("model")
          .openKeyCursor(null, "nextunique");
        for (; cursor !== null; cursor = await cursor.continue()) found.push(cursor.key as ModelName);
        return found;
      }),
    ids: (model) => connection.use((database) => database.getAllKeysFromIndex("examples", "model", model)),
    read: (model, ids) =>
      connection.use(async (database) => {
        if (ids === undefined)
          return (await database.getAllFromIndex("examples", "model", model)).map(toPage);
        const { store } = database.transaction("examples");
        const rows = await Promise.all(ids.map((id) => store.get(id)));
        return rows.flatMap((row) => (row?.model === model ? [toPage(row)] : []));
      }),
    change: (model, { add, remove }) =>
      connection.use(async (database) => {
        const transaction = database.transaction("examples", "readwrite");
        const { store } = transaction;
        const [ids] = await Promise.all([
          Promise.all(add.map((sealed) => store.add({ model, sealed: own(sealed) }))),
          ...remove.map((id) => store.delete(id)),
          transaction.done,
        ]);
        return ids;
      }),
    clear: (model) =>
      connection.use(async (database) => {
        const transaction = database.transaction("examples", "readwrite");
        const ids = await transaction.store.index("model").getAllKeys(model);
        await Promise.all([...ids.map((id) => transaction.store.delete(id)), transaction.done]);
      }),
  };
}

function toPage(row: StoredExampleRow): ExamplePage {
  const id = row.id!;
  if ("sealed" in row) return { id, sealed: row.sealed };
  return { id, plain: { inputs: "features" in row ? [row.features] : row.inputs, label: row.label } };
}

const EXAMPLES_KEY = "examples";

function keyOf(connection: Connection): DeviceStore["examplesKey"] {
  return {
    read: () => connection.use((database) => database.get("keys", EXAMPLES_KEY)),
    // In one transaction: two tabs may come at once.
    keep: (key) =>
      connection.use(async (database) => {
        const { store, done } = database.transaction("keys", "readwrite");
        const known = await store.get(EXAMPLES_KEY);
        if (known === undefined) await store.put(key, EXAMPLES_KEY);
        await done;
        return known ?? key;
      }),
    clear: () => connection.use((database) => database.delete("keys", EXAMPLES_KEY)),
  };
}

function learnedOf(connection: Connection): DeviceStore["learned"] {
  return {
    read: (name) => connection.use((database) => database.get("learned", name)),
    write: (name, sealed) =>
      connection.use(async (database) => {
        await database.put("learned", own(sealed), name);
      }),
    delete: (name) => connection.use((database) => database.delete("learned", name)),
    list: () =>
      connection.use(async (database) => {
        const found: { name: string; sizeBytes: number }[] = [];
        let cursor = await database.transaction("learned").store.openCursor();
        for (; cursor !== null; cursor = await cursor.continue()) {
          found.push({ name: cursor.key, sizeBytes: cursor.value.length });
        }
        return found;
      }),
  };
}

/** A copy that owns its buffer: storing a view would clone all of the memory behind it. */
function own(values: Uint8Array): Uint8Array<ArrayBuffer> {
  return values.slice();
}
