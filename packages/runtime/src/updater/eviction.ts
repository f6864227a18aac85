import type { Digest, Logger } from "@tributary/core";
import type { DeviceStore, InstalledModel } from "../store/device-store.ts";
import type { BlobHolds } from "./blob-holds.ts";
import { engineSetting } from "./engine-setting.ts";
import { usedSetting } from "./used-setting.ts";

export interface EvictionOptions {
  readonly store: Pick<DeviceStore, "blobs" | "models" | "settings">;
  /** Whether a blob belongs to what is open on this device. */
  readonly isNeeded: (digest: Digest) => boolean;
  /** What other tabs of the site hold. */
  readonly holds?: BlobHolds | undefined;
  readonly log: Logger;
}

export interface Eviction {
  /** Frees so many bytes, or as many as there are to free. @returns how many */
  evict(bytes: number): Promise<number>;
}

/** Something that may go, and how many bytes that frees. */
interface Victim {
  readonly name: string;
  readonly remove: () => Promise<number>;
}

/** Blobs that nothing names go first, then what was received of others, then the models that were not used for longest. */
export function createEviction({ store, isNeeded, holds, log }: EvictionOptions): Eviction {
  const { blobs, models, settings } = store;

  const victims = async (): Promise<Victim[]> => {
    const held = (await holds?.held()) ?? new Set<Digest>();
    const isInUse = (digest: Digest): boolean => isNeeded(digest) || held.has(digest);
    const installed = await models.list();
    const recorded = new Set(installed.flatMap(digestsOf));
    const strays = (await blobs.list()).filter(({ digest }) => !recorded.has(digest) && !isInUse(digest));
    const partials = (await blobs.listPartials()).filter(({ digest }) => !isInUse(digest));
    // One that is open has all of its blobs in use; others may share some with it, such as the graph.
    const idle = installed.filter((each) => !digestsOf(each).every(isInUse));
    const lastUsed = await Promise.all(
      idle.map(async ({ model, channel, installedAtMs }) => {
        const at = await settings.read(usedSetting(model, channel)).catch(() => undefined);
        return typeof at === "number" ? at : installedAtMs;
      }),
    );
    const oldestFirst = idle
      .map((each, i) => ({ each, at: lastUsed[i]! }))
      .toSorted((a, b) => a.at - b.at)
      .map(({ each }) => each);
    return [
      ...strays.map(({ digest, sizeBytes }) => ({
        name: digest,
        remove: async () => {
          await blobs.delete(digest);
          return sizeBytes;
        },
      })),
      ...partials.map(({ digest, sizeBytes }) => ({
        name: `what was received of ${digest}`,
        remove: async () => {
          await blobs.deletePartial(digest);
          return sizeBytes;
        },
      })),
      ...oldestFirst.map((each) => ({
        name: `${each.model} ${each.version}`,
        remove: () => uninstall(each, isInUse),
      })),
    ];
  };

  /** The record first: one that names blobs which are gone would be taken for an installation. */
  const uninstall = async (gone: InstalledModel, isInUse: (digest: Digest) => boolean): Promise<number> => {
    await models.delete(gone.model, gone.channel);
    const shared = new Set((await models.list()).flatMap(digestsOf));
    let freed = 0;
    for (const { digest, sizeBytes } of gone.files) {
      if (shared.has(digest) || isInUse(digest)) continue;
      await blobs.delete(digest);
      freed += sizeBytes;
    }
    await settings.delete(usedSetting(gone.model, gone.channel));
    await settings.delete(engineSetting(gone.files));
    return freed;
  };

  const evict = async (bytes: number): Promise<number> => {
    let freed = 0;
    for (const { name, remove } of await victims()) {
      if (freed >= bytes) break;
      const count = await remove();
      log.info("evicted to make room", { name, bytes: count });
      freed += count;
    }
    return freed;
  };

  return { evict };
}

function digestsOf({ files }: Pick<InstalledModel, "files">): Digest[] {
  return files.map(({ digest }) => digest);
}
