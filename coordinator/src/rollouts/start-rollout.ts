import { failure, type Env } from "@tributary/core";
import { initialRollout, type RolloutConfig } from "@tributary/federation";
import { evidenceOf, parseMeasurementPlan, ROLLOUT_SHARE_UNITS, type RolloutSpec } from "@tributary/protocol";
import type { BlobStore } from "../ports/blob-store.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { ModelRecord, VersionRecord } from "../ports/model-records.ts";
import { requireOffered } from "../registry/offered-version.ts";
import type { RolloutRecord } from "../ports/rollout-records.ts";
import { requireNoRollout, requireNotBarred } from "./barred-versions.ts";
import { measuresGate } from "./cohort-evidence.ts";

/** Devices whose reports are younger may be watched. */
const TOLD_WITHIN_MS = 7 * 86_400_000;
/** Treated devices for each place of a cohort: not all are there when it forms. */
const SPARE = 1.5;

/** A rollout that may begin, and the versions that it tries, in the order of its arms. */
export interface PreparedRollout {
  readonly record: RolloutRecord;
  readonly versions: readonly VersionRecord[];
}

/**
 * Checks that a rollout can begin and that each of its gates has something to decide by.
 *
 * @throws `coordinator/unknown-channel`, `coordinator/unknown-version`, `coordinator/version-retired`, `coordinator/version-withdrawn`, `coordinator/rollout-running`,
 *   `coordinator/invalid-rollout`, `coordinator/no-rollout-evidence`
 */
export async function prepareRollout(
  { store, blobs, env }: { readonly store: MetadataStore; readonly blobs: BlobStore; readonly env: Env },
  model: ModelRecord,
  spec: RolloutSpec,
  now: number,
): Promise<PreparedRollout> {
  const { name } = model;
  const channel = await store.channels.get(name, spec.channel);
  if (channel === undefined)
    throw failure("coordinator/unknown-channel", `rollouts: "${name}" has no channel "${spec.channel}"`, {
      detail: { model: name, channel: spec.channel },
    });
  await requireNoRollout(store, name, spec.channel);
  const versions: VersionRecord[] = [];
  for (const { version } of spec.arms) {
    if (version === channel.version)
      throw failure(
        "coordinator/invalid-rollout",
        `rollouts: channel "${spec.channel}" of "${name}" points to version ${version} already`,
        { detail: { model: name, version } },
      );
    const record = await requireOffered(store, name, version);
    await requireNotBarred(store, name, version);
    versions.push({ ...record, requiredRuntime: spec.runtime ?? record.requiredRuntime });
  }
  const number = (await store.rollouts.lastNumber(name)) + 1;
  const rollout = spec.rollout ?? `${spec.channel}-${number}`;
  if ((await store.rollouts.get(name, rollout)) !== undefined)
    throw failure("coordinator/invalid-rollout", `rollouts: "${name}" had a rollout "${rollout}" before`, {
      detail: { model: name, rollout },
    });
  const at = env.clock.now();
  await requireDeviceEvidence(store, model, spec, channel.version, at);
  const floorShare = await cohortShare({ store, blobs }, model, spec, at);
  const config: RolloutConfig = { spec, control: channel.version, floorShare };
  return {
    versions,
    record: {
      model: name,
      rollout,
      channel: spec.channel,
      number,
      config,
      state: initialRollout(config, now),
      evidence: { toldBefore: at, round: null, cohorts: {}, waiting: {}, reference: null },
      createdAt: at,
      endedAt: null,
    },
  };
}

/** @throws `coordinator/no-rollout-evidence` */
async function requireDeviceEvidence(
  { deviceHealth }: Pick<MetadataStore, "deviceHealth">,
  { name }: ModelRecord,
  { gates, population }: RolloutSpec,
  control: VersionRecord["version"],
  at: number,
): Promise<void> {
  const gate = gates.find((each) => evidenceOf(each) === "devices");
  if (gate === undefined) return;
  const told = await deviceHealth.toldSince(name, control, at - TOLD_WITHIN_MS);
  if (told.some((each) => each.population === population)) return;
  throw noEvidence(
    gate.metric,
    `no device of "${population}" told in the last week how version ${control} of "${name}" fares`,
  );
}

/**
 * The share that a step needs at least, so that the devices of each arm fill a cohort of the telemetry task; 0 where no gate rests on sums.
 *
 * @throws `coordinator/no-rollout-evidence`
 */
async function cohortShare(
  { store, blobs }: { readonly store: MetadataStore; readonly blobs: BlobStore },
  { name }: ModelRecord,
  { gates, arms, telemetryTask, population }: RolloutSpec,
  at: number,
): Promise<number> {
  const resting = gates.filter((each) => evidenceOf(each) === "cohorts");
  const [first] = resting;
  if (first === undefined || telemetryTask === null) return 0;
  const task = await store.tasks.get(telemetryTask);
  if (task === undefined || task.model !== name || task.spec.kind !== "telemetry")
    throw noEvidence(first.metric, `"${telemetryTask}" is no task of kind telemetry on "${name}"`);
  if (task.state !== "running") throw noEvidence(first.metric, `task "${telemetryTask}" is ${task.state}`);
  const { metrics } = parseMeasurementPlan(await blobs.bytes(task.plan.digest));
  const names = metrics.map((each) => each.name);
  const missing = resting.find((each) => !measuresGate(each, names));
  if (missing !== undefined)
    throw noEvidence(
      missing.metric,
      `task "${telemetryTask}" does not measure it, or the model has no classes`,
    );
  const { goalCount } = task.spec.cohort;
  const devices = await store.devices.count(population, { certifiedAt: at });
  const needed = goalCount * arms.length;
  if (devices < needed + goalCount)
    throw noEvidence(
      first.metric,
      `cohorts of ${goalCount} of each arm and of the control need ${needed + goalCount} devices, there are ${devices}`,
    );
  return Math.min(ROLLOUT_SHARE_UNITS, Math.ceil((ROLLOUT_SHARE_UNITS * SPARE * needed) / devices));
}

function noEvidence(metric: string, why: string): Error {
  return failure(
    "coordinator/no-rollout-evidence",
    `rollouts: the gate on ${metric} has no evidence: ${why}`,
    {
      detail: { metric, why },
    },
  );
}
