import type { ModelName, ModelVersion } from "@tributary/core";
import { onnxRegions } from "@tributary/onnx";
import { encodeDelta, safetensorsRegions, type DeltaRegion, type QuantizedStep } from "@tributary/tensor";
import type { BlobStore } from "../ports/blob-store.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { BlobRef, TargetRecord, VersionRecord } from "../ports/records.ts";
import { deltaTarget } from "../releases/model-targets.ts";
import { RELEASES_BACK } from "./retention.ts";
import { int8WeightsPath, variantPath, weightsPath } from "../releases/target-paths.ts";

/** A delta that is hardly smaller than the file is not worth its place in the metadata. */
const LARGEST_SHARE = 0.75;

/**
 * The step from a version to the next, for devices that train: of float32 weights only rounded steps are small.
 *
 * @returns nothing where the delta would be hardly smaller than the weights
 */
export async function stepDelta(
  blobs: Pick<BlobStore, "put" | "bytes" | "stat">,
  base: VersionRecord,
  next: VersionRecord,
  steps: ReadonlyMap<string, QuantizedStep>,
): Promise<readonly TargetRecord[]> {
  const path = weightsPath(next.model, next.version);
  return storeDelta(blobs, next.model, path, base.version, base.weights, next.weights, (file) =>
    safetensorsRegions(file, steps),
  );
}

/** From what devices on a channel ran before to a version that they are to run: of its int8 weights and its derived forms. */
export async function releaseDeltas(
  {
    blobs,
    store,
  }: {
    readonly blobs: Pick<BlobStore, "put" | "bytes" | "stat">;
    readonly store: Pick<MetadataStore, "versions" | "channels">;
  },
  next: VersionRecord,
  channel: string,
): Promise<readonly TargetRecord[]> {
  const { model, version } = next;
  const targets: TargetRecord[] = [];
  for (const base of await releasedBefore(store, next, channel)) {
    const int8 = int8WeightsPath(model, version);
    targets.push(
      ...(await storeDelta(blobs, model, int8, base.version, base.int8, next.int8, safetensorsRegions)),
    );
    for (const form of next.variants) {
      const before = base.variants.find(({ name }) => name === form.name);
      if (before === undefined) continue;
      const path = variantPath(model, version, form.name);
      targets.push(...(await storeDelta(blobs, model, path, base.version, before, form, onnxRegions)));
    }
  }
  return targets;
}

async function releasedBefore(
  { versions, channels }: Pick<MetadataStore, "versions" | "channels">,
  { model, version: next }: VersionRecord,
  name: string,
): Promise<readonly VersionRecord[]> {
  const limit = Math.max(...RELEASES_BACK) + 1;
  const released = (await channels.history(model, { name, limit })).filter(({ version }) => version !== next);
  const bases = RELEASES_BACK.flatMap((back) => released[back - 1] ?? []);
  const records = await Promise.all(bases.map(({ version }) => versions.get(model, version)));
  return records.filter((record) => record !== undefined);
}

async function storeDelta(
  blobs: Pick<BlobStore, "put" | "bytes" | "stat">,
  model: ModelName,
  path: string,
  from: ModelVersion,
  base: BlobRef,
  next: BlobRef,
  regionsOf: (file: Uint8Array) => readonly DeltaRegion[],
): Promise<readonly TargetRecord[]> {
  // By the rule of the model, files of versions that left the release may be gone.
  if (base.sizeBytes !== next.sizeBytes || (await blobs.stat(base.digest)) === undefined) return [];
  const file = await blobs.bytes(next.digest);
  const delta = encodeDelta(await blobs.bytes(base.digest), file, regionsOf(file));
  if (delta === undefined || delta.length > LARGEST_SHARE * next.sizeBytes) return [];
  return [deltaTarget(model, path, from, await blobs.put(delta))];
}
