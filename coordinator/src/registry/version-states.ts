import type { MetadataRepositories } from "../ports/metadata-store.ts";
import type { VersionRecord } from "../ports/model-records.ts";
import { keptVersions } from "./retention.ts";

/** Forgets what versions came from that leave the release when this one comes. Their blobs go with the next clean-up. */
export async function forgetStates(
  tx: MetadataRepositories,
  { model, version, createdAt }: Pick<VersionRecord, "model" | "version" | "createdAt">,
): Promise<void> {
  const kept = await keptVersions(tx, model, { now: createdAt, next: version });
  await tx.versionStates.forget(model, version, [...kept.keys()]);
}
