import { asModelVersion } from "@tributary/core";
import type { MetadataRepositories } from "../ports/metadata-store.ts";
import type { VersionRecord } from "../ports/records.ts";
import { KEPT_VERSIONS } from "../releases/target-paths.ts";
import { keptVersions } from "./version-artifacts.ts";

/** Forgets what versions came from that leave the release when this one comes. Their blobs go with the next clean-up. */
export async function forgetStates(
  tx: Pick<MetadataRepositories, "channels" | "tasks" | "rounds" | "rollouts" | "versionStates">,
  { model, version }: Pick<VersionRecord, "model" | "version">,
): Promise<void> {
  if (version <= KEPT_VERSIONS) return;
  const kept = await keptVersions(tx, { name: model });
  await tx.versionStates.forget(model, asModelVersion(version - KEPT_VERSIONS), kept);
}
