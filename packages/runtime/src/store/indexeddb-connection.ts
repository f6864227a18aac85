/** One connection to one IndexedDB database, opened when needed and again after the browser took it away. */
import { failure } from "@tributary/core";
import type { Clock } from "@tributary/core";
import { openDB } from "idb";
import type { DBSchema, IDBPDatabase } from "idb";
import type { InstalledModel, StoredExample, StoredIdentity } from "./device-store.ts";
import { storeError } from "./store-error.ts";

export type StoredExampleRow = { readonly id?: number; readonly model: string } & (
  | { readonly sealed: Uint8Array<ArrayBuffer> }
  | StoredExample
  | FirstExample
);

/** As kept before models had several inputs. */
interface FirstExample {
  readonly features: Float32Array | Uint8Array;
  readonly label: number | Float32Array;
}

export interface DeviceSchema extends DBSchema {
  identity: { key: string; value: StoredIdentity };
  metadata: { key: string; value: Uint8Array };
  blobs: { key: string; value: Uint8Array<ArrayBuffer> };
  /** Chunks of unfinished downloads by digest and offset. */
  partials: { key: [digest: string, offset: number]; value: Uint8Array<ArrayBuffer> };
  models: { key: [model: string, channel: string]; value: InstalledModel };
  examples: { key: number; value: StoredExampleRow; indexes: { model: string } };
  settings: { key: string; value: unknown };
  keys: { key: string; value: CryptoKey };
  learned: { key: string; value: Uint8Array<ArrayBuffer> };
}

export type DeviceDatabase = IDBPDatabase<DeviceSchema>;

const SCHEMA_VERSION = 2;

/** How long another tab may take to let go of an older schema. */
const BLOCKED_TIMEOUT_MS = 10_000;

export interface Connection {
  /** Runs `work` on an open database; once more on a new connection if the browser had closed the old one. */
  use<T>(work: (database: DeviceDatabase) => Promise<T>): Promise<T>;
  /** Idempotent; waits for the work under way. */
  close(): Promise<void>;
}

export function openConnection(name: string, clock: Pick<Clock, "schedule">): Connection {
  let opening: Promise<DeviceDatabase> | undefined;
  let closed = false;
  const pending = new Set<Promise<unknown>>();

  const forget = (): void => {
    opening = undefined;
  };
  const open = (): Promise<DeviceDatabase> => {
    opening ??= openDatabase(name, clock, forget).catch((error: unknown) => {
      forget();
      throw error;
    });
    return opening;
  };
  const attempt = async <T>(work: (database: DeviceDatabase) => Promise<T>): Promise<T> => {
    try {
      return await work(await open());
    } catch (error) {
      // "The database connection is closing": a version change, a cleared site or a crashed storage process.
      if (!(error instanceof DOMException) || error.name !== "InvalidStateError" || closed) throw error;
      forget();
      return await work(await open());
    }
  };

  return {
    async use(work) {
      if (closed) throw failure("store/unavailable", `store: IndexedDB "${name}" was closed`);
      const result = attempt(work).catch((error: unknown) => {
        throw storeError(`IndexedDB "${name}"`, error);
      });
      const settled = result.catch(() => undefined).finally(() => pending.delete(settled));
      pending.add(settled);
      return result;
    },
    async close() {
      closed = true;
      await Promise.all(pending);
      const database = await opening?.catch(() => undefined);
      database?.close();
    },
  };
}

function openDatabase(
  name: string,
  clock: Pick<Clock, "schedule">,
  forget: () => void,
): Promise<DeviceDatabase> {
  return new Promise((resolve, reject) => {
    let late = false;
    let timer: { cancel(): void } | undefined;
    const opened = openDB<DeviceSchema>(name, SCHEMA_VERSION, {
      upgrade(database, before) {
        if (before < 1) {
          database.createObjectStore("identity");
          database.createObjectStore("metadata");
          database.createObjectStore("blobs");
          database.createObjectStore("partials");
          database.createObjectStore("models");
          database
            .createObjectStore("examples", { keyPath: "id", autoIncrement: true })
            .createIndex("model", "model");
          database.createObjectStore("settings");
        }
        database.createObjectStore("keys");
        database.createObjectStore("learned");
      },
      blocked() {
        timer ??= clock.schedule(BLOCKED_TIMEOUT_MS, () => {
          late = true;
          reject(
            failure(
              "store/unavailable",
              `store: another tab keeps an older "${name}" open; close the other tabs of this site and reload`,
            ),
          );
        });
      },
      blocking(_current, _wanted, event) {
        // A newer version of the page wants to upgrade: let it, and open again with the next use.
        forget();
        (event.target as IDBDatabase).close();
      },
      terminated: forget,
    });
    opened
      .then((database) => {
        if (late) database.close();
        else resolve(database);
      }, reject)
      .finally(() => timer?.cancel());
  });
}
