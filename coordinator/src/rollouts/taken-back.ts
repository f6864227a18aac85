import type { ModelName, ModelVersion } from "@tributary/core";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { weightsPath } from "../releases/target-paths.ts";
import { withdrawnAncestor } from "./barred-versions.ts";

type Rows = Pick<MetadataStore, "versions" | "withdrawals" | "channels" | "releases">;

/** Whether a version is another one, or grew out of it by training. */
export async function descendsFrom(
  { versions }: Pick<Rows, "versions">,
  model: ModelName,
  version: ModelVersion,
  from: ModelVersion,
): Promise<boolean> {
  for (let at: ModelVersion | null = version; at !== null && at >= from;) {
    if (at === from) return true;
    const record = await versions.get(model, at);
    at = record === undefined || record.roundId === null ? null : record.parentVersion;
  }
  return false;
}

/**
 * Channels that point to a version, or to what grew out of it, and the last version before that is good and still there. A channel without one
 * stays as it is: its devices answer nothing.
 */
export async function channelsToMove(
  store: Rows,
  model: ModelName,
  withdrawn: ModelVersion,
): Promise<readonly { readonly name: string; readonly to: ModelVersion }[]> {
  const moves: { name: string; to: ModelVersion }[] = [];
  for (const { name, version } of await store.channels.list(model)) {
    if (!(await descendsFrom(store, model, version, withdrawn))) continue;
    for (const { version: to } of await store.channels.history(model, { name })) {
      if (await descendsFrom(store, model, to, withdrawn)) continue;
      if ((await withdrawnAncestor(store, model, to)) !== undefined) continue;
      if ((await store.releases.target(weightsPath(model, to))) === undefined) continue;
      moves.push({ name, to });
      break;
    }
  }
  return moves;
}
