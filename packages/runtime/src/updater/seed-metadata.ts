import type { Clock } from "@tributary/core";
import { createTufClient, DEFAULT_TUF_LIMITS, parseMetadata } from "@tributary/tuf";
import type { ReleaseHttp } from "../transport/release-http.ts";

export interface SeedOptions {
  readonly trustedRoot: Uint8Array;
  readonly seed: Pick<ReleaseHttp, "metadata">;
  readonly clock: Pick<Clock, "now">;
}

/**
 * The metadata that an app ships, by role, once the trusted root's keys vouch for it. It counts as what was verified in earlier times:
 * it may have expired, and whatever comes from the coordinator later may not be older. `undefined` where it is not complete.
 *
 * @throws `tuf/*` where it is there and does not hold
 */
export async function verifiedSeed({
  trustedRoot,
  seed,
  clock,
}: SeedOptions): Promise<ReadonlyMap<string, Uint8Array> | undefined> {
  const limits = DEFAULT_TUF_LIMITS;
  const timestamp = await seed.metadata("timestamp.json", { maxBytes: limits.maxTimestampBytes });
  if (timestamp === undefined) return undefined;
  const { version } = (await parseMetadata("timestamp", timestamp)).signed.snapshot;
  const snapshot = await seed.metadata(`${version}.snapshot.json`, { maxBytes: limits.maxSnapshotBytes });
  if (snapshot === undefined) return undefined;
  const listed = (await parseMetadata("snapshot", snapshot)).signed.meta.get("targets.json");
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
  return (await client.load()) && client.timestampVersion > 0 ? files : undefined;
}
