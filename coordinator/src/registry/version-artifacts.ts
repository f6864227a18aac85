import { asModelVersion, type Env, type ModelVersion } from "@tributary/core";
import type { RoundConfig } from "@tributary/federation";
import { quantizeWeightsFile } from "@tributary/onnx";
import { STABLE_CHANNEL } from "@tributary/protocol";
import { type ParameterSet, parametersToSafetensors, type QuantizedStep } from "@tributary/tensor";
import type { BlobStore } from "../ports/blob-store.ts";
import type { MetadataRepositories, MetadataStore } from "../ports/metadata-store.ts";
import type { ModelRecord, TargetRecord, VersionRecord } from "../ports/records.ts";
import { unreleasedTargets, versionTargets } from "../releases/model-targets.ts";
import type { TargetChanges } from "../rooms.ts";
import { makeSelfCheck } from "./self-check.ts";
import { storeVariants, type VariantSources } from "./variants.ts";
import { releaseDeltas, stepDelta } from "./version-deltas.ts";

/** What is known of a version before its weights are stored. */
export type NewVersion = Omit<
  VersionRecord,
  "model" | "graph" | "weights" | "int8" | "variants" | "parameterCount" | "selfCheck" | "requiredRuntime"
> &
  Partial<Pick<VersionRecord, "requiredRuntime">>;

/** A version whose blobs are on disk, and what it changes in the release. */
export interface StoredVersion {
  readonly version: VersionRecord;
  readonly targets: TargetChanges;
}

/**
 * Derives and stores everything a version consists of: float32 and int8 weights, deltas from what devices have, and where it is released
 * the manifest of stable. The int8 weights are always those of the exact ones, and each channel keeps the scale that it had in the parent
 * as long as it fits, so that a version differs from its parent in few bytes.
 * The first step of a commit: nothing refers to the blobs until the version is committed.
 *
 * @param steps - that made it of its parent, by parameter, where they were rounded
 * @param sources - of what its forms are made, beside the weights and the parent's
 */
export async function storeVersion(
  stores: { readonly blobs: BlobStore; readonly store: MetadataStore; readonly env: Pick<Env, "log"> },
  model: ModelRecord,
  version: NewVersion,
  parameters: ParameterSet,
  steps?: ReadonlyMap<string, QuantizedStep>,
  sources: Omit<VariantSources, "parent"> = {},
): Promise<StoredVersion> {
  const { blobs, store, env } = stores;
  const parent =
    version.parentVersion === null ? undefined : await store.versions.get(model.name, version.parentVersion);
  const earlier = parent === undefined ? undefined : await blobs.bytes(parent.int8.digest);
  const int8 = quantizeWeightsFile(parameters, earlier).bytes;
  const weights = await blobs.put(parametersToSafetensors(parameters));
  const graph = await blobs.bytes(model.graph.digest);
  const record: VersionRecord = {
    requiredRuntime: null,
    ...version,
    model: model.name,
    graph: model.graph,
    weights,
    int8: await blobs.put(int8),
    selfCheck: await makeSelfCheck(env.log, model, { graph, parameters, int8 }, weights.digest),
    variants: await storeVariants(blobs, model, parameters, { ...sources, parent }),
    parameterCount: model.parameterCount,
  };
  const deltas = [
    ...(parent === undefined || steps === undefined ? [] : await stepDelta(blobs, parent, record, steps)),
    ...(record.releasedAt === null ? [] : await releaseDeltas(stores, record, STABLE_CHANNEL)),
  ];
  const current = await store.releases.targets();
  const kept = await keptVersions(store, model);
  if (record.releasedAt === null) {
    return { version: record, targets: withDeltas(unreleasedTargets(record, current, kept), deltas) };
  }
  const manifest = versionTargets(model, record, current, kept);
  await blobs.put(manifest.bytes);
  return { version: record, targets: withDeltas(manifest.changes, deltas) };
}

function withDeltas({ put, remove = [] }: TargetChanges, deltas: readonly TargetRecord[]): TargetChanges {
  return { put: [...put, ...deltas], remove };
}

/** Versions that rollouts under way try, or compare with. */
export async function triedVersions(
  { rollouts }: Pick<MetadataRepositories, "rollouts">,
  model: ModelRecord["name"],
): Promise<readonly ModelVersion[]> {
  return (await rollouts.underWay(model)).flatMap(({ config, state }) => [
    config.control,
    ...state.arms.flatMap(({ ended, version }) => (ended === null ? [version] : [])),
  ]);
}

/** What channels point to and rollouts try, and what gates compare with, or devices are measuring, stays to be downloaded. */
export async function keptVersions(
  store: Pick<MetadataRepositories, "channels" | "tasks" | "rounds" | "rollouts">,
  model: Pick<ModelRecord, "name">,
): Promise<readonly ModelVersion[]> {
  const tasks = (await store.tasks.list()).filter((task) => task.model === model.name);
  const compared = tasks.flatMap(({ gate, spec }) => [gate?.reference, gate?.candidate, spec.candidate]);
  for (const round of await store.rounds.open()) {
    const config = round.config as unknown as RoundConfig;
    if (round.model !== model.name || config.measurement === undefined) continue;
    compared.push(config.baseVersion, config.measurement.candidate?.version);
  }
  const numbers = compared.filter((each) => typeof each === "number");
  const heads = (await store.channels.list(model.name)).map(({ version }) => version);
  return [...heads, ...(await triedVersions(store, model.name)), ...numbers.map(asModelVersion)];
}
