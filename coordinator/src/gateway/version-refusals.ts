import type { DeviceId } from "@tributary/core";
import type { RefusedVersionView } from "@tributary/protocol";

/** Versions and reasons that are remembered, and devices that are counted of each. */
const MAX_ENTRIES = 64;
const MAX_DEVICES = 10_000;

/** Versions that devices did not let take the place of the one that runs, since the coordinator started. */
export interface VersionRefusals {
  /** @returns whether it is the first of its kind */
  record(device: DeviceId, refused: Pick<RefusedVersionView, "model" | "version" | "code">): boolean;
  /** Newest first. */
  view(): RefusedVersionView[];
}

export function createVersionRefusals(): VersionRefusals {
  const entries = new Map<string, Omit<RefusedVersionView, "devices"> & { readonly seen: Set<DeviceId> }>();
  return {
    record(device, { model, version, code }) {
      const key = `${model} ${version} ${code}`;
      const known = entries.get(key);
      if (known !== undefined) {
        if (known.seen.size < MAX_DEVICES) known.seen.add(device);
        return false;
      }
      if (entries.size >= MAX_ENTRIES) entries.delete(entries.keys().next().value!);
      entries.set(key, { model, version, code, seen: new Set([device]) });
      return true;
    },
    view: () =>
      Array.from(entries.values(), ({ seen, ...refused }) => ({
        ...refused,
        devices: seen.size,
      })).toReversed(),
  };
}
