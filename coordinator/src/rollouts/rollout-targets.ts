import { encodeUtf8, type ModelName } from "@tributary/core";
import { rolloutShares, type RolloutConfig, type RolloutState } from "@tributary/federation";
import {
  parseRollout,
  parseWithdrawnVersions,
  rolloutDevice,
  rolloutManifestPath,
  rolloutPath,
  withdrawnPath,
  type Rollout,
  type WithdrawnVersions,
} from "@tributary/protocol";
import type { ModelRecord, VersionRecord, WithdrawalRecord } from "../ports/model-records.ts";
import type { RolloutRecord } from "../ports/rollout-records.ts";
import { channelTargets, documentTarget, type TargetDocument } from "../releases/model-targets.ts";
import { modelRole } from "../releases/roles.ts";
import { timestamp } from "../registry/views.ts";

/** The document that devices find their version by, as the rollout stands. */
export async function rolloutDocument({
  model,
  channel,
  rollout,
  config,
  state,
}: Pick<RolloutRecord, "model" | "channel" | "rollout"> & {
  readonly config: RolloutConfig;
  readonly state: RolloutState;
}): Promise<TargetDocument> {
  const named = config.spec.steps.slice(0, state.step + 1).flatMap(({ devices }) => devices);
  const document: Rollout = {
    formatVersion: 1,
    model,
    channel,
    rollout,
    control: config.control,
    // An arm that ended stays: whose turn it would be depends on how many there are. Its version is withdrawn.
    arms: state.arms.map(({ name, version }) => ({
      name,
      version,
      manifest: { target: rolloutManifestPath(model, rollout, name) },
    })),
    shares: rolloutShares(config, state),
    devices: await Promise.all([...new Set(named)].map((device) => rolloutDevice(rollout, device))),
  };
  const bytes = encodeUtf8(JSON.stringify(document));
  parseRollout(bytes); // devices will: what they would refuse must not be signed
  const path = rolloutPath(model, channel);
  return { bytes, changes: { put: [documentTarget(modelRole(model), path, bytes)] } };
}

/** The manifest of an arm, and what it names. */
export function armTargets(
  model: ModelRecord,
  version: VersionRecord,
  { channel, rollout }: Pick<RolloutRecord, "channel" | "rollout">,
  arm: string,
): TargetDocument {
  return channelTargets(model, version, channel, rolloutManifestPath(model.name, rollout, arm));
}

/** What leaves the release with a rollout's end. */
export function endedPaths({ model, channel, rollout, config }: RolloutRecord): string[] {
  return [
    rolloutPath(model, channel),
    ...config.spec.arms.map(({ name }) => rolloutManifestPath(model, rollout, name)),
  ];
}

/** All versions of a model that were ever withdrawn. */
export function withdrawnDocument(
  model: ModelName,
  withdrawals: readonly WithdrawalRecord[],
): TargetDocument {
  const document: WithdrawnVersions = {
    formatVersion: 1,
    model,
    versions: withdrawals
      .toSorted((a, b) => a.version - b.version)
      .map(({ version, reason, at }) => ({ version, reason, at: timestamp(at) })),
  };
  const bytes = encodeUtf8(JSON.stringify(document));
  parseWithdrawnVersions(bytes);
  const path = withdrawnPath(model);
  return { bytes, changes: { put: [documentTarget(modelRole(model), path, bytes)] } };
}
