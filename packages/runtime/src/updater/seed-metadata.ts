import type { Clock } from "@tributary/core";
import { createTufClient, DEFAULT_TUF_LIMITS, parseMetadata } from "@tributary/tuf";
import type { ReleaseHttp } from "../transport/release-http.ts";

export interface SeedOptions {
  readonly trustedRoot: Uint8Array;
  readonly seed: Pick<ReleaseHttp, "metadata">;
  /** Whose delegated roles are read too. */
  readonly model: string;
  readonly clock: Pick<Clock, "now">;
}

export interface ShippedMetadata {
  /** By role. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly timestampVersion: number;
}

/**
 * The metadata that an app ships, once the trusted root's keys vouch for it. It counts as what was verified in earlier times:
 * it may have expired, and whatever comes from the coordinator later may not be older. `undefined` where it is not complete.
 *
 * @throws `tuf/*` where it is there and does not hold
 */
export async function verifiedSeed({
  trustedRoot,
  seed,
  model,
  clock,
}: SeedOptions): Promise<ShippedMetadata | undefined> {
  const limits = DEFAULT_TUF_LIMITS;
  const timestamp = await seed.metadata("timestamp.json", { maxBytes: limits.maxTimestampBytes });
  if (timestamp === undefined) return undefined;
  const { version } = (await parseMetadata("timestamp", timestamp)).signed.snapshot;
  const snapshot = await seed.metadata(`${version}.snapshot.json`, { maxBytes: limits.maxSnapshotBytes });
  if (snapshot === undefined) return undefined;
  const { meta } = (await parseMetadata("snapshot", snapshot)).signed;
  const listed = meta.get("targets.json");
  const targets =
    listed && (await seed.metadata(`${listed.version}.targets.json`, { maxBytes: limits.maxTargetsBytes }));
  if (targets === undefined) return undefined;
  const files = new Map<string, Uint8Array>(Object.entries({ timestamp, snapshot, targets }));
  const client = createTufClient({
    trustedRoot,
    store: {
      read: async (role) => files.get(role),
      write: async () => undefined,
      delete: async () => undefined,
    },
    fetcher: { metadata: async () => undefined },
    clock,
  });
  // Only files that all three belong together say which release this is.
  if (!(await client.load()) || client.timestampVersion === 0) return undefined;
  // A delegated file is held to the snapshot and its delegator whenever it is read.
  for (const { name, paths } of client.delegations()) {
    const isOwn =
      paths.kind === "patterns" && paths.patterns.some((path) => path.startsWith(`models/${model}/`));
    const { version: newest } = (isOwn && meta.get(`${name}.json`)) || {};
    const bytes =
      newest && (await seed.metadata(`${newest}.${name}.json`, { maxBytes: limits.maxTargetsBytes }));
    if (bytes) files.set(name, bytes);
  }
  return { files, timestampVersion: client.timestampVersion };
}
