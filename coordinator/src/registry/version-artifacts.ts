import type { Env } from "@tributary/core";
import { quantizeWeightsFile } from "@tributary/onnx";
import { STABLE_CHANNEL } from "@tributary/protocol";
import { type ParameterSet, parametersToSafetensors, type QuantizedStep } from "@tributary/tensor";
import type { BlobStore } from "../ports/blob-store.ts";
import type { Bus } from "../ports/bus.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { ModelRecord, VersionRecord } from "../ports/model-records.ts";
import type { TargetRecord } from "../ports/release-records.ts";
import { unreleasedTargets, versionTargets } from "../releases/model-targets.ts";
import type { TargetChanges } from "../rooms.ts";
import { keptVersions, offeredHeads, retiredPaths } from "./retention.ts";
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
  stores: {
    readonly blobs: BlobStore;
    readonly store: MetadataStore;
    readonly env: Pick<Env, "log">;
    readonly bus: Pick<Bus, "publish">;
  },
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
    ...(parent === undefined || steps === undefined ? [] : await stepDelta(stores, parent, record, steps)),
    ...(record.releasedAt === null ? [] : await releaseDeltas(stores, record, STABLE_CHANNEL)),
  ];
  const isReleased = record.releasedAt !== null;
  const manifest = isReleased ? versionTargets(model, record) : undefined;
  if (manifest !== undefined) await blobs.put(manifest.bytes);
  const put = [...(manifest?.changes.put ?? unreleasedTargets(record)), ...deltas];
  return { version: record, targets: { put, remove: await retiredBy(stores, record, put) } };
}

/** What leaves the release when a version enters it. */
async function retiredBy(
  { store }: Pick<Parameters<typeof storeVersion>[0], "store">,
  { model, version: next, createdAt, releasedAt }: VersionRecord,
  put: readonly TargetRecord[],
): Promise<readonly string[]> {
  const current = (await store.releases.targets()).map(({ path }) => path);
  const kept = await keptVersions(store, model, { now: createdAt, next });
  const heads = await offeredHeads(store, model);
  return retiredPaths([...current, ...put.map(({ path }) => path)], model, {
    kept: new Set(kept.keys()),
    heads: new Set(releasedAt === null ? heads : [...heads, next]),
  });
}
