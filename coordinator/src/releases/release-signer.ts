import type { Clock } from "@tributary/core";
import { timestampCustom, type LogHead } from "@tributary/protocol";
import {
  parseMetadata,
  signRoot,
  signSnapshotAndTimestamp,
  signTargets,
  signTimestamp,
  TUF_ROLES,
  type TargetFile,
  type TufRole,
} from "@tributary/tuf";
import type { ReleaseChange, SignedMetadata, TargetRecord } from "../ports/records.ts";
import type { TargetChanges } from "../rooms.ts";
import type { ReleaseKeys } from "./release-keys.ts";

const DAY_MS = 86_400_000;

export type Lifetimes = Readonly<Record<TufRole, number>>;

/**
 * How long signed metadata lives, in milliseconds; it is signed again when half of that is over.
 *
 * @param timestampDays - that of the timestamp; what it vouches for lives at least as long
 */
export function lifetimesOf(timestampDays: number): Lifetimes {
  const days = (least: number): number => Math.max(least, timestampDays) * DAY_MS;
  return { root: days(365), targets: days(90), snapshot: days(30), timestamp: timestampDays * DAY_MS };
}

/** The newest metadata of each role, as stored, and the certificate log's head: what a timestamp signed now has to say. */
export type CurrentRelease = Readonly<Partial<Record<TufRole, SignedMetadata>>> & {
  readonly logHead: LogHead;
};

/**
 * Signs releases in memory: numbers are allocated and bytes made, nothing is stored.
 * The caller stores the change in one transaction, with everything that belongs to it, and only then serves it.
 */
export interface ReleaseSigner {
  /** Root version 1. @throws TypeError without the root key */
  firstRoot(): Promise<SignedMetadata>;
  /** The next release: what is current, with targets put and removed. */
  prepare(
    current: CurrentRelease,
    targets: readonly TargetRecord[],
    changes: TargetChanges,
  ): Promise<ReleaseChange>;
  /** A timestamp of the same release with the present head of the certificate log. */
  prepareLogHead(current: CurrentRelease): Promise<ReleaseChange>;
  /** The roles whose metadata has to be signed again: half of its lifetime is over. */
  refreshNeeded(current: CurrentRelease): Promise<readonly TufRole[]>;
  /**
   * Signs those roles, and the ones above that list them, again. The root is left out where its key is not here.
   * `undefined` where nothing is due.
   */
  prepareRefresh(
    current: CurrentRelease,
    targets: readonly TargetRecord[],
  ): Promise<{ readonly root: SignedMetadata | undefined; readonly change: ReleaseChange | undefined }>;
}

export function createReleaseSigner(options: {
  readonly keys: ReleaseKeys;
  readonly lifetimes: Lifetimes;
  readonly clock: Pick<Clock, "now">;
}): ReleaseSigner {
  const { keys, lifetimes, clock } = options;
  const expiresMs = (role: TufRole): number => clock.now() + lifetimes[role];

  const rootOf = async (version: number, previous: Uint8Array | undefined): Promise<SignedMetadata> => {
    if (keys.root === undefined) throw new TypeError("releases: the root key is not here");
    const only = (signer: { readonly publicKey: Uint8Array }) => ({ publicKeys: [signer.publicKey] });
    const bytes = await signRoot({
      version,
      expiresMs: expiresMs("root"),
      keysByRole: {
        root: only(keys.root),
        targets: only(keys.targets),
        snapshot: only(keys.snapshot),
        timestamp: only(keys.timestamp),
      },
      signers: [keys.root],
      ...(previous === undefined ? {} : { previous }),
    });
    return { role: "root", version, bytes };
  };

  const targetsFile = async (
    current: CurrentRelease,
    targets: Iterable<TargetRecord>,
  ): Promise<SignedMetadata> => {
    const version = (current.targets?.version ?? 0) + 1;
    const bytes = await signTargets({
      version,
      expiresMs: expiresMs("targets"),
      targets: Array.from(targets, targetFile),
      signers: [keys.targets],
    });
    return { role: "targets", version, bytes };
  };

  const upperFiles = async (current: CurrentRelease, targets: SignedMetadata): Promise<SignedMetadata[]> => {
    const { snapshot, timestamp, versions } = await signSnapshotAndTimestamp({
      previous: { snapshot: current.snapshot?.version ?? 0, timestamp: current.timestamp?.version ?? 0 },
      targets,
      expiresMs: { snapshot: expiresMs("snapshot"), timestamp: expiresMs("timestamp") },
      signers: { snapshot: [keys.snapshot], timestamp: [keys.timestamp] },
      custom: timestampCustom(current.logHead),
    });
    return [
      { role: "snapshot", version: versions.snapshot, bytes: snapshot },
      { role: "timestamp", version: versions.timestamp, bytes: timestamp },
    ];
  };

  const timestampFile = async (
    current: CurrentRelease,
    snapshot: SignedMetadata,
  ): Promise<SignedMetadata> => {
    const version = (current.timestamp?.version ?? 0) + 1;
    const bytes = await signTimestamp({
      version,
      expiresMs: expiresMs("timestamp"),
      snapshot,
      signers: [keys.timestamp],
      custom: timestampCustom(current.logHead),
    });
    return { role: "timestamp", version, bytes };
  };

  const changeOf = (
    current: CurrentRelease,
    metadata: readonly SignedMetadata[],
    { put, remove = [] }: TargetChanges,
  ): ReleaseChange => ({
    expectedTimestampVersion: current.timestamp?.version ?? null,
    metadata,
    put,
    remove,
  });

  const isDue = async (role: TufRole, metadata: SignedMetadata | undefined): Promise<boolean> => {
    if (metadata === undefined) return role !== "root";
    const { expiresMs } = (await parseMetadata(role, metadata.bytes)).signed;
    return expiresMs - clock.now() <= lifetimes[role] / 2;
  };
  const refreshNeeded = async (current: CurrentRelease): Promise<readonly TufRole[]> => {
    const due = await Promise.all(TUF_ROLES.map((role) => isDue(role, current[role])));
    return TUF_ROLES.filter((_, index) => due[index]);
  };

  return {
    firstRoot: () => rootOf(1, undefined),
    async prepare(current, targets, changes) {
      const next = applyChanges(targets, changes);
      const file = await targetsFile(current, next.values());
      return changeOf(current, [file, ...(await upperFiles(current, file))], changes);
    },
    async prepareLogHead(current) {
      if (current.snapshot === undefined) throw new TypeError("releases: there is no snapshot yet");
      return changeOf(current, [await timestampFile(current, current.snapshot)], { put: [] });
    },
    refreshNeeded,
    async prepareRefresh(current, targets) {
      const due = new Set(await refreshNeeded(current));
      const root =
        due.has("root") && keys.root !== undefined && current.root !== undefined
          ? await rootOf(current.root.version + 1, current.root.bytes)
          : undefined;
      const nothing: TargetChanges = { put: [] };
      const metadata: SignedMetadata[] = [];
      if (due.has("targets") || current.targets === undefined) {
        const file = await targetsFile(current, targets);
        metadata.push(file, ...(await upperFiles(current, file)));
      } else if (due.has("snapshot") || current.snapshot === undefined) {
        metadata.push(...(await upperFiles(current, current.targets)));
      } else if (due.has("timestamp")) {
        metadata.push(await timestampFile(current, current.snapshot));
      }
      return { root, change: metadata.length === 0 ? undefined : changeOf(current, metadata, nothing) };
    },
  };
}

function applyChanges(
  targets: readonly TargetRecord[],
  { put, remove = [] }: TargetChanges,
): Map<string, TargetRecord> {
  const next = new Map(targets.map((target) => [target.path, target]));
  for (const path of remove) next.delete(path);
  const seen = new Set(remove);
  for (const target of put) {
    if (seen.has(target.path))
      throw new TypeError(`releases: ${target.path} is put twice, or put and removed`);
    seen.add(target.path);
    next.set(target.path, target);
  }
  // In the order of paths, so that the same targets are the same bytes.
  return new Map([...next].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function targetFile({ path, digest, sizeBytes, custom }: TargetRecord): TargetFile {
  return { path, length: sizeBytes, sha256: digest, custom: custom ?? undefined };
}
