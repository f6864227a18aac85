/** What gives way where the storage is full. Loaded when it first is. */
import { failure, TributaryError, type Digest, type Logger } from "@tributary/core";
import type { DeviceStore, InstalledModel, InstalledVersion } from "../store/device-store.ts";
import type { BlobHolds } from "./blob-holds.ts";
import { engineSetting, formSetting } from "./engine-setting.ts";
import { usedSetting } from "./used-setting.ts";

export interface EvictionOptions {
  readonly store: Pick<DeviceStore, "blobs" | "models" | "settings">;
  /** Whether a blob belongs to what is open on this device. */
  readonly isNeeded: (digest: Digest) => boolean;
  /** What other tabs of the site hold. */
  readonly holds?: BlobHolds | undefined;
  readonly log: Logger;
}

/** Something that may go. */
interface Victim {
  readonly name: string;
  /** @returns bytes that are free now */
  readonly remove: () => Promise<number>;
}

/**
 * Frees so many bytes, or as many as there are to free: first what belongs to no model, then models that are open nowhere, the one
 * first that was not used for longest; last the versions that open models could go back to.
 *
 * @returns bytes that were freed
 */
export async function evict(bytes: number, options: EvictionOptions): Promise<number> {
  let freed = 0;
  for (const { name, remove } of await victims(options)) {
    if (freed >= bytes) break;
    const count = await remove();
    options.log.info("evicted to make room", { name, bytes: count });
    freed += count;
  }
  return freed;
}

/** `availableBytes` is undefined where a storage was full and does not tell how many bytes it would have taken. */
export function refusal(
  neededBytes: number,
  availableBytes: number | undefined,
  cause?: unknown,
): TributaryError {
  return failure(
    "store/quota-exceeded",
    `store: ${neededBytes} bytes are needed, and ${availableBytes ?? "fewer"} are available with every model evicted that ` +
      "is not open; free some space on the device",
    {
      detail: { neededBytes, ...(availableBytes === undefined ? {} : { availableBytes }) },
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

async function victims({ store, isNeeded, holds }: EvictionOptions): Promise<Victim[]> {
  const { blobs, models, settings } = store;
  const held = (await holds?.held()) ?? new Set<Digest>();
  const isInUse = (digest: Digest): boolean => isNeeded(digest) || held.has(digest);
  const installed = await models.list();
  const recorded = new Set(installed.flatMap(allDigestsOf));
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
      remove: () => uninstall(store, each, isInUse),
    })),
    ...installed.flatMap((each) =>
      each.previous === undefined || idle.includes(each)
        ? []
        : [
            {
              name: `${each.model} ${each.previous.version}, which it could go back to`,
              remove: () => uninstallPrevious(store, each, isInUse),
            },
          ],
    ),
  ];
}

/** The record first: one that names blobs which are gone would be taken for an installation. */
async function uninstall(
  { blobs, models, settings }: EvictionOptions["store"],
  gone: InstalledModel,
  isInUse: (digest: Digest) => boolean,
): Promise<number> {
  await models.delete(gone.model, gone.channel);
  const { previous } = gone;
  let freed = await removeFiles({ blobs, models, settings }, gone, isInUse);
  if (previous !== undefined) freed += await removeFiles({ blobs, models, settings }, previous, isInUse);
  await settings.delete(usedSetting(gone.model, gone.channel));
  return freed;
}

async function uninstallPrevious(
  store: EvictionOptions["store"],
  { previous, ...kept }: InstalledModel,
  isInUse: (digest: Digest) => boolean,
): Promise<number> {
  const now = await store.models.read(kept.model, kept.channel);
  // Meanwhile it may have been installed anew, or have gone back.
  if (previous === undefined || now?.previous?.manifestDigest !== previous.manifestDigest) return 0;
  await store.models.write(kept);
  return await removeFiles(store, previous, isInUse);
}

/** Of a version that no record names any more. */
async function removeFiles(
  { blobs, models, settings }: EvictionOptions["store"],
  { files }: InstalledVersion,
  isInUse: (digest: Digest) => boolean,
): Promise<number> {
  const shared = new Set((await models.list()).flatMap(allDigestsOf));
  let freed = 0;
  for (const { digest, sizeBytes } of files) {
    if (shared.has(digest) || isInUse(digest)) continue;
    await blobs.delete(digest);
    freed += sizeBytes;
  }
  await settings.delete(engineSetting(files));
  await settings.delete(formSetting(files));
  return freed;
}

function digestsOf({ files }: Pick<InstalledVersion, "files">): Digest[] {
  return files.map(({ digest }) => digest);
}

/** Of what is installed, and of what it could go back to. */
function allDigestsOf(installed: InstalledModel): Digest[] {
  return [installed, ...(installed.previous === undefined ? [] : [installed.previous])].flatMap(digestsOf);
}
