import { failure, type ModelName, type ModelVersion } from "@tributary/core";
import type { MetadataStore } from "../ports/metadata-store.ts";

type Rows = Pick<MetadataStore, "versions" | "withdrawals">;

/**
 * The version in another's line that was withdrawn: it, or one that it grew out of by training. What is published comes from elsewhere, and
 * grows out of nothing.
 */
export async function withdrawnAncestor(
  { versions, withdrawals }: Rows,
  model: ModelName,
  version: ModelVersion,
): Promise<ModelVersion | undefined> {
  const withdrawn = new Set((await withdrawals.list(model)).map((each) => each.version));
  if (withdrawn.size === 0) return undefined;
  for (let at: ModelVersion | null = version; at !== null;) {
    if (withdrawn.has(at)) return at;
    const record = await versions.get(model, at);
    at = record === undefined || record.roundId === null ? null : record.parentVersion;
  }
  return undefined;
}

/**
 * That a version may be offered to devices.
 *
 * @throws `coordinator/version-withdrawn`
 */
export async function requireNotBarred(store: Rows, model: ModelName, version: ModelVersion): Promise<void> {
  const withdrawn = await withdrawnAncestor(store, model, version);
  if (withdrawn === undefined) return;
  const why =
    withdrawn === version ? "it was withdrawn" : `it grew out of version ${withdrawn}, which was withdrawn`;
  throw failure("coordinator/version-withdrawn", `registry: version ${version} of "${model}": ${why}`, {
    detail: { model, version, withdrawn },
  });
}

/**
 * That nothing but a rollout moves the channel while one is under way.
 *
 * @throws `coordinator/rollout-running`
 */
export async function requireNoRollout(
  { rollouts }: Pick<MetadataStore, "rollouts">,
  model: ModelName,
  channel: string,
): Promise<void> {
  const running = (await rollouts.underWay(model)).find((each) => each.channel === channel);
  if (running === undefined) return;
  const { rollout } = running;
  throw failure(
    "coordinator/rollout-running",
    `registry: rollout "${rollout}" of "${model}" decides what channel "${channel}" points to`,
    { detail: { model, channel, rollout } },
  );
}

/** Whether what a round makes may reach a channel at once. */
export async function mayFollow(
  store: Rows & Pick<MetadataStore, "rollouts">,
  model: ModelName,
  channel: string,
  base: ModelVersion,
): Promise<boolean> {
  if ((await store.rollouts.underWay(model)).some((each) => each.channel === channel)) return false;
  return (await withdrawnAncestor(store, model, base)) === undefined;
}
