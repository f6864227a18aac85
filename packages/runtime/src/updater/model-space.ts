import { toFailure, TributaryError, type Clock, type Digest } from "@tributary/core";
import type { StorageDiagnosis } from "../diagnosis.ts";
import { lazyPart } from "../lazy-part.ts";
import type { DeviceStore, StorageEstimate } from "../store/device-store.ts";
import { createTurns } from "../turns.ts";
import type { EvictionOptions } from "./eviction.ts";
import { usedSetting } from "./used-setting.ts";

export interface ModelSpaceOptions extends EvictionOptions {
  readonly store: Pick<DeviceStore, "blobs" | "models" | "settings" | "space">;
  /** Most bytes of blobs that are kept. @defaultValue what the platform allows */
  readonly maxBytes?: number | undefined;
  readonly clock: Pick<Clock, "now">;
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

const eviction = lazyPart("eviction", () => import("./eviction.ts"));

export function createModelSpace(options: ModelSpaceOptions): ModelSpace {
  const { store, maxBytes = Infinity, clock, log } = options;
  const { blobs, settings, space } = store;
  /** Two that need room at once do not count the same bytes. */
  const turns = createTurns();

  const keptBytes = async ({ blobBytes, partialBytes }: StorageEstimate = {}): Promise<{
    blobBytes: number;
    partialBytes: number;
  }> => {
    if (blobBytes !== undefined && partialBytes !== undefined) return { blobBytes, partialBytes };
    const [whole, partial] = await Promise.all([blobs.list(), blobs.listPartials()]);
    const sum = (all: readonly { readonly sizeBytes: number }[]): number =>
      all.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
    return { blobBytes: sum(whole), partialBytes: sum(partial) };
  };

  /** Infinity where nobody says. */
  const availableBytes = async (): Promise<number> => {
    const estimate = await space?.estimate();
    const { usageBytes, quotaBytes } = estimate ?? {};
    const quota =
      usageBytes === undefined || quotaBytes === undefined ? Infinity : Math.max(0, quotaBytes - usageBytes);
    if (maxBytes === Infinity) return quota;
    const { blobBytes, partialBytes } = await keptBytes(estimate);
    return Math.min(quota, Math.max(0, maxBytes - blobBytes - partialBytes));
  };

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
        const { evict, refusal } = await eviction.load();
        const freed = await evict(sizeBytes - available, options);
        if (available + freed < sizeBytes) throw refusal(sizeBytes, available + freed);
      }),
    write: (digest, bytes) =>
      inTurn(async () => {
        try {
          await blobs.write(digest, bytes);
        } catch (error) {
          if (!isFull(error)) throw error;
          const { evict, refusal } = await eviction.load();
          await evict(bytes.length, options);
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
      const estimate = await space?.estimate();
      const kept = await keptBytes(estimate);
      return {
        kind: space?.kind ?? "memory",
        ...kept,
        ...estimate,
        ...(maxBytes === Infinity ? {} : { maxBytes }),
      };
    },
  };
}

function isFull(error: unknown): error is TributaryError {
  return TributaryError.is(error) && error.code === "store/quota-exceeded";
}
