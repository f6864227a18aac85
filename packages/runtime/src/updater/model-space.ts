import { failure, toFailure, TributaryError, type Clock, type Digest, type Logger } from "@tributary/core";
import type { StorageDiagnosis } from "../diagnosis.ts";
import type { DeviceStore, InstalledModel } from "../store/device-store.ts";
import { createTurns } from "../turns.ts";
import { engineSetting } from "./engine-setting.ts";
import type { BlobHolds } from "./blob-holds.ts";

export interface ModelSpaceOptions {
  readonly store: Pick<DeviceStore, "blobs" | "models" | "settings" | "space">;
  /** Most bytes of blobs that are kept. @defaultValue what the platform allows */
  readonly maxBytes?: number | undefined;
  /** Whether a blob belongs to what is open on this device. */
  readonly isNeeded: (digest: Digest) => boolean;
  /** What other tabs of the site hold. */
  readonly holds?: BlobHolds | undefined;
  readonly clock: Pick<Clock, "now">;
  readonly log: Logger;
}

/**
 * Room for models. Where it is short, models that are installed and not open anywhere give way, the one first that was not used
 * for longest; what runs, waits or is being prepared never does.
 */
export interface ModelSpace {
  /** Makes room for a download. @throws `store/quota-exceeded`, with `neededBytes` and `availableBytes` */
  reserve(sizeBytes: number): Promise<void>;
  /** Keeps a blob; where the storage is full, makes room and tries once more. @throws `store/quota-exceeded` */
  write(digest: Digest, bytes: Uint8Array): Promise<void>;
  /** A model is used now. Never rejects. */
  used(model: string, channel: string): Promise<void>;
  diagnose(): Promise<StorageDiagnosis>;
}

/** Something that may go, and how many bytes that frees. */
interface Victim {
  readonly name: string;
  readonly remove: () => Promise<number>;
}

export function createModelSpace(options: ModelSpaceOptions): ModelSpace {
  const { store, maxBytes = Infinity, isNeeded, holds, clock, log } = options;
  const { blobs, models, settings, space } = store;
  /** Two that need room at once do not count the same bytes. */
  const turns = createTurns();

  const keptBytes = async (): Promise<{ blobBytes: number; partialBytes: number }> => {
    const [whole, partial] = await Promise.all([blobs.list(), blobs.listPartials()]);
    const sum = (all: readonly { readonly sizeBytes: number }[]): number =>
      all.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
    return { blobBytes: sum(whole), partialBytes: sum(partial) };
  };

  /** Infinity where nobody says. */
  const availableBytes = async (): Promise<number> => {
    const { usageBytes, quotaBytes } = (await space?.estimate()) ?? {};
    const quota =
      usageBytes === undefined || quotaBytes === undefined ? Infinity : Math.max(0, quotaBytes - usageBytes);
    if (maxBytes === Infinity) return quota;
    const { blobBytes, partialBytes } = await keptBytes();
    return Math.min(quota, Math.max(0, maxBytes - blobBytes - partialBytes));
  };

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

  /** Frees so many bytes, or as many as there are to free. */
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

  /** `available` is undefined where a storage was full and does not tell how many bytes it would have taken. */
  const refusal = (neededBytes: number, available: number | undefined, cause?: unknown): TributaryError =>
    failure(
      "store/quota-exceeded",
      `store: ${neededBytes} bytes are needed, and ${available ?? "fewer"} are available with every model evicted that ` +
        "is not open; free some space on the device",
      {
        detail: { neededBytes, ...(available === undefined ? {} : { availableBytes: available }) },
        ...(cause === undefined ? {} : { cause }),
      },
    );

  /** After a write failed. Browsers estimate generously, so as not to tell sites apart: what the write itself says comes first. */
  const availableAfter = async (failed: TributaryError, neededBytes: number): Promise<number | undefined> => {
    const { availableBytes: told } = failed.detail;
    if (typeof told === "number") return told;
    const estimated = await availableBytes();
    return estimated < neededBytes ? estimated : undefined;
  };

  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    const end = await turns.take();
    try {
      return await work();
    } finally {
      end();
    }
  };

  return {
    reserve: (sizeBytes) =>
      inTurn(async () => {
        const available = await availableBytes();
        if (available >= sizeBytes) return;
        const freed = await evict(sizeBytes - available);
        if (available + freed < sizeBytes) throw refusal(sizeBytes, available + freed);
      }),
    write: (digest, bytes) =>
      inTurn(async () => {
        try {
          await blobs.write(digest, bytes);
        } catch (error) {
          if (!isFull(error)) throw error;
          await evict(bytes.length);
          await blobs.write(digest, bytes).catch(async (again: unknown) => {
            if (!isFull(again)) throw again;
            throw refusal(bytes.length, await availableAfter(again, bytes.length), again);
          });
        }
      }),
    async used(model, channel) {
      await settings.write(usedSetting(model, channel), clock.now()).catch((error: unknown) => {
        log.warn("when a model was used could not be kept", { model, error: toFailure(error) });
      });
    },
    async diagnose() {
      const [kept, estimate] = await Promise.all([keptBytes(), space?.estimate()]);
      return {
        kind: space?.kind ?? "memory",
        ...kept,
        ...estimate,
        ...(maxBytes === Infinity ? {} : { maxBytes }),
      };
    },
  };
}

function digestsOf({ files }: Pick<InstalledModel, "files">): Digest[] {
  return files.map(({ digest }) => digest);
}

function usedSetting(model: string, channel: string): string {
  return `used/${model}/${channel}`;
}

function isFull(error: unknown): error is TributaryError {
  return TributaryError.is(error) && error.code === "store/quota-exceeded";
}
