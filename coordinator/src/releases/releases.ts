import { join } from "node:path";
import { failure, type Timer } from "@tributary/core";
import { logHeadOf, type LogHead } from "@tributary/protocol";
import { parseMetadata } from "@tributary/tuf";
import { RELEASES_KEPT } from "../housekeeping.ts";
import { headOf } from "../enrolment/certificate-tree.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { ReleaseChange, SignedMetadata, TufRole } from "../ports/records.ts";
import type { Releases, RoomContext, TargetChanges } from "../rooms.ts";
import { createReleaseKeys, openReleaseKeys } from "./release-keys.ts";
import { createReleaseSigner, lifetimesOf, type CurrentRelease } from "./release-signer.ts";

/** How often the age of the signed metadata is looked at. */
export const REFRESH_CHECK_MS = 3_600_000;

/** Setting: the store comes from a backup, and nothing was signed since. */
export const RELEASES_RESTORED = "releasesRestored";
/** Numbers that may have been signed between a backup and its restore: eleven days of a new timestamp every second. */
export const RESTORE_GAP = 1_000_000;

export type ReleasesContext = Pick<RoomContext, "env" | "store"> & {
  readonly config: Pick<RoomContext["config"], "dataDir" | "metadataDays">;
};

/**
 * Opens the signing of releases: keys lie in `<dataDir>/keys`, signed metadata in the store. The first start makes both, with an
 * empty release, so that there is always something verified to read.
 *
 * @throws TributaryError `coordinator/key-…` where keys are missing, readable by others, damaged, or not those of the stored root.
 */
export async function createReleases({ config, env, store }: ReleasesContext): Promise<Releases> {
  const folder = join(config.dataDir, "keys");
  const { clock, log } = env;
  const latestRoot = await store.releases.latest("root");
  const keys =
    latestRoot === undefined
      ? await createReleaseKeys(folder, env.random)
      : await openReleaseKeys(folder, latestRoot.bytes);
  const signer = createReleaseSigner({ keys, clock, lifetimes: lifetimesOf(config.metadataDays) });
  // Stored before anything is signed with the keys: a crash in between starts again with the same key files.
  if (latestRoot === undefined) await store.releases.insert(await signer.firstRoot());
  const first = await store.releases.metadata("root", 1);
  if (first === undefined) throw failure("store/corrupt", "releases: root version 1 is not stored");

  let queue: Promise<unknown> = Promise.resolve();
  let timer: Timer | undefined;
  let closed = false;

  /** One release at a time: the next begins with the numbers the last one stored. */
  const inTurn = <T>(run: () => Promise<T>): Promise<T> => {
    const turn = queue.then(() => {
      if (closed) throw failure("core/closed", "releases: closed");
      return run();
    });
    queue = turn.catch(() => undefined);
    return turn;
  };

  const current = async (): Promise<CurrentRelease> => {
    const found: Partial<Record<TufRole, SignedMetadata>> = {};
    for (const role of ["root", "timestamp", "snapshot", "targets"] as const) {
      const metadata = await store.releases.latest(role);
      if (metadata !== undefined) found[role] = metadata;
    }
    return { ...found, logHead: await headOf(store.certificateLog) };
  };

  const signLogHead = async (): Promise<LogHead> => {
    const now = await current();
    const { logHead, timestamp } = now;
    const signed = timestamp && logHeadOf((await parseMetadata("timestamp", timestamp.bytes)).signed.custom);
    if (signed !== undefined) await requireContinued(store, signed, logHead);
    if (signed?.treeSize === logHead.treeSize) return logHead;
    const change = await signer.prepareLogHead(now);
    await store.releases.apply(change);
    // Devices that enrol one after the other make many timestamps, of which only the newest is served.
    if (change.metadata.some(({ version }) => version % RELEASES_KEPT === 0)) {
      await store.releases.prune(RELEASES_KEPT);
    }
    return logHead;
  };

  const refresh = async (): Promise<void> => {
    const now = await current();
    const due = await signer.refreshNeeded(now);
    if (due.length === 0) return;
    if (due.includes("root") && keys.root === undefined) {
      log.warn(
        "root metadata is about to expire and its key is not here: put root.key.json back to renew it",
        {
          folder,
        },
      );
    }
    const { root, change } = await signer.prepareRefresh(now, await store.releases.targets());
    if (root !== undefined) await store.releases.insert(root);
    if (change !== undefined) await store.releases.apply(change);
    log.debug("metadata signed again", { roles: due.join(" ") });
  };

  /** Devices may hold metadata with higher numbers than a backup knows: they are left out, so that none sees a lower one. */
  const signAfterRestore = async (): Promise<void> => {
    if ((await store.settings.get(RELEASES_RESTORED)) !== true) return;
    const now = await current();
    const { targets, snapshot, timestamp } = now;
    if (targets === undefined || snapshot === undefined || timestamp === undefined) return;
    const ahead = ({ version, ...rest }: SignedMetadata) => ({ ...rest, version: version + RESTORE_GAP });
    const past = { targets: ahead(targets), snapshot: ahead(snapshot), timestamp: ahead(timestamp) };
    const change = await signer.prepare({ ...now, ...past }, await store.releases.targets(), { put: [] });
    await store.transaction(async (tx) => {
      await tx.releases.apply({ ...change, expectedTimestampVersion: timestamp.version });
      await tx.settings.set(RELEASES_RESTORED, false);
    });
    log.warn("metadata of a restored backup was signed anew", { timestampVersion: past.timestamp.version });
  };

  const watch = (): void => {
    timer = clock.schedule(REFRESH_CHECK_MS, () => {
      inTurn(refresh)
        .catch((error: unknown) => {
          if (!closed) log.error("metadata could not be signed again", { error });
        })
        .finally(() => {
          if (!closed) watch();
        });
    });
  };

  await inTurn(signAfterRestore);
  await inTurn(refresh);
  await inTurn(signLogHead);
  watch();

  return {
    root: first.bytes,
    release: <T>(changes: TargetChanges, commit: (change: ReleaseChange) => Promise<T>) =>
      inTurn(async () =>
        commit(await signer.prepare(await current(), await store.releases.targets(), changes)),
      ),
    signLogHead: () => inTurn(signLogHead),
    async close() {
      timer?.cancel();
      if (!closed) {
        // What was begun ends; what waits is refused.
        closed = true;
      }
      await queue;
    },
  };
}

/**
 * Devices never believe a log again that loses what was signed for, so that is not signed. Only damage, or a hand in the database, leads here.
 *
 * @throws `store/corrupt`
 */
async function requireContinued(
  { certificateLog }: MetadataStore,
  signed: LogHead,
  now: LogHead,
): Promise<void> {
  const before = signed.treeSize <= now.treeSize ? await headOf(certificateLog, signed.treeSize) : undefined;
  if (before?.rootHash === signed.rootHash) return;
  throw failure(
    "store/corrupt",
    `releases: the certificate log of ${now.treeSize} entries does not continue the head of ${signed.treeSize} that was signed; restore the database`,
    { detail: { signed: signed.treeSize, stored: now.treeSize } },
  );
}
