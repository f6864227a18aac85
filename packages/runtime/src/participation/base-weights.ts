import { TributaryError, type Digest, type ModelName } from "@tributary/core";
import type { InstalledFile, SettingStore } from "../store/device-store.ts";
import type { Releases } from "../updater/releases.ts";
import {
  baseWeightsSetting,
  isBaseWeightsSetting,
  readBaseWeights,
} from "../updater/base-weights-setting.ts";

/** Exact weights that rounds begin with. Those of the last round stay here: the next ones are theirs and a small step. */
export interface BaseWeights {
  /** @throws what `Releases.fetchTarget` throws */
  fetch(model: ModelName, target: string, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
  /** Those that were asked for last: they are there before it is recorded that they are kept. */
  pinned(): readonly Digest[];
  /** Nobody trains here any more: none are kept. */
  drop(): Promise<void>;
}

export function createBaseWeights(options: {
  readonly releases: Pick<Releases, "target" | "fetchTarget">;
  readonly settings: SettingStore;
  /** What is kept has changed: other weights are not needed any more. */
  readonly onChange: () => void;
  /** Tells who shares the store what is pinned. */
  readonly hold?: ((digests: readonly Digest[]) => void) | undefined;
}): BaseWeights {
  const { releases, settings, onChange, hold } = options;
  const wanted = new Map<ModelName, Digest>();
  const pinned = (): Digest[] => [...wanted.values()];
  return {
    async fetch(model, path, signal) {
      const file = await releases.target(path, signal);
      const kept = await readBaseWeights(settings, model);
      const now: InstalledFile = { target: path, digest: file.sha256, sizeBytes: file.length };
      wanted.set(model, now.digest);
      hold?.(pinned());
      if (kept?.digest === now.digest) return await releases.fetchTarget(path, { signal });
      try {
        const bytes = await releases.fetchTarget(path, { signal, held: kept === undefined ? [] : [kept] });
        await settings.write(baseWeightsSetting(model), now);
        if (kept !== undefined) onChange();
        return bytes;
      } catch (error) {
        // Where there is no room to keep them, they come whole in every round.
        if (!TributaryError.is(error) || error.code !== "store/quota-exceeded") throw error;
        return await releases.fetchTarget(path, { signal, keep: false });
      }
    },
    pinned,
    async drop() {
      wanted.clear();
      hold?.([]);
      for (const key of await settings.keys()) if (isBaseWeightsSetting(key)) await settings.delete(key);
      onChange();
    },
  };
}
