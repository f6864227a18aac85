import type { Digest, ModelName } from "@tributary/core";
import type { DeviceStore, InstalledModel, StoredIdentity } from "../store/device-store.ts";

/** A store that forgets: the reference the stored ones are held to, and a fast one for tests. */
export function createMemoryStore(): DeviceStore {
  let identity: StoredIdentity | undefined;
  const metadata = new Map<string, Uint8Array>();
  const blobs = new Map<Digest, Uint8Array<ArrayBuffer>>();
  const partials = new Map<Digest, Uint8Array<ArrayBuffer>>();
  const models = new Map<string, InstalledModel>();
  const examples = new Map<ModelName, Map<number, Uint8Array<ArrayBuffer>>>();
  const learned = new Map<string, Uint8Array<ArrayBuffer>>();
  let examplesKey: CryptoKey | undefined;
  let lastPage = 0;
  const controls = new Map<string, Uint8Array<ArrayBuffer>>();
  const settings = new Map<string, unknown>();
  return {
    needsExtractableKeys: false,
    identity: {
      read: async () => identity,
      write: async (value) => void (identity = value),
      clear: async () => void (identity = undefined),
    },
    metadata: {
      read: async (role) => metadata.get(role)?.slice(),
      write: async (role, bytes) => void metadata.set(role, bytes.slice()),
      delete: async (role) => void metadata.delete(role),
    },
    blobs: {
      read: async (digest) => blobs.get(digest)?.slice(),
      async write(digest, bytes) {
        blobs.set(digest, bytes.slice());
        partials.delete(digest);
      },
      delete: async (digest) => void blobs.delete(digest),
      list: async () => [...blobs].map(([digest, bytes]) => ({ digest, sizeBytes: bytes.length })),
      readPartial: async (digest) => partials.get(digest)?.slice(),
      async appendPartial(digest, offset, chunk) {
        const kept = offset === 0 ? new Uint8Array(0) : (partials.get(digest) ?? new Uint8Array(0));
        if (kept.length !== offset) {
          throw new RangeError(`appendPartial: ${kept.length} bytes are kept, got offset ${offset}`);
        }
        const joined = new Uint8Array(offset + chunk.length);
        joined.set(kept);
        joined.set(chunk, offset);
        partials.set(digest, joined);
      },
      deletePartial: async (digest) => void partials.delete(digest),
      listPartials: async () => [...partials].map(([digest, bytes]) => ({ digest, sizeBytes: bytes.length })),
    },
    models: {
      read: async (model, channel) => models.get(`${model} ${channel}`),
      write: async (installed) => void models.set(`${installed.model} ${installed.channel}`, installed),
      delete: async (model, channel) => void models.delete(`${model} ${channel}`),
      list: async () => [...models.values()],
    },
    examples: {
      models: async () => [...examples].filter(([, pages]) => pages.size > 0).map(([model]) => model),
      ids: async (model) => [...(examples.get(model)?.keys() ?? [])],
      async read(model, ids) {
        const pages = examples.get(model) ?? new Map<number, Uint8Array<ArrayBuffer>>();
        const wanted = ids ?? [...pages.keys()];
        return wanted.flatMap((id) => {
          const sealed = pages.get(id);
          return sealed === undefined ? [] : [{ id, sealed }];
        });
      },
      async change(model, { add, remove }) {
        const pages = examples.get(model) ?? new Map<number, Uint8Array<ArrayBuffer>>();
        examples.set(model, pages);
        for (const id of remove) pages.delete(id);
        return add.map((sealed) => {
          pages.set(++lastPage, sealed.slice());
          return lastPage;
        });
      },
      clear: async (model) => void examples.delete(model),
    },
    examplesKey: {
      read: async () => examplesKey,
      keep: async (key) => (examplesKey ??= key),
      clear: async () => void (examplesKey = undefined),
    },
    learned: {
      read: async (name) => learned.get(name)?.slice(),
      write: async (name, sealed) => void learned.set(name, sealed.slice()),
      delete: async (name) => void learned.delete(name),
      list: async () => [...learned].map(([name, sealed]) => ({ name, sizeBytes: sealed.length })),
    },
    controls: {
      read: async (model, task) => controls.get(`${model} ${task}`)?.slice(),
      write: async (model, task, bytes) => void controls.set(`${model} ${task}`, bytes.slice()),
      async clear(model) {
        for (const key of controls.keys()) if (key.startsWith(`${model} `)) controls.delete(key);
      },
      list: async () =>
        [...controls].map(([key, bytes]) => ({
          model: key.slice(0, key.indexOf(" ")) as ModelName,
          sizeBytes: bytes.length,
        })),
    },
    settings: {
      read: async (key) => settings.get(key),
      write: async (key, value) => void settings.set(key, structuredClone(value)),
      delete: async (key) => void settings.delete(key),
      keys: async () => [...settings.keys()],
    },
    close: async () => {},
  };
}
