import { toFailure, type Env, type ModelName, type ModelVersion } from "@tributary/core";
import type { QuantizedStep } from "@tributary/tensor";
import type { BlobStore } from "../ports/blob-store.ts";
import type { Bus } from "../ports/bus.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { BlobRef, VersionRecord } from "../ports/model-records.ts";
import type { TargetRecord } from "../ports/release-records.ts";
import { deltaTarget } from "../releases/model-targets.ts";
import type { DeltaDerivation } from "./derivation.ts";
import { deriveApart } from "./derive-apart.ts";
import { RELEASES_BACK } from "./retention.ts";
import { int8WeightsPath, variantPath, weightsPath } from "../releases/target-paths.ts";

/** A delta that is hardly smaller than the file is not worth its place in the metadata. */
const LARGEST_SHARE = 0.75;

/** Where files lie, and who hears of a delta that could not be made. */
export interface DeltaServices {
  readonly blobs: Pick<BlobStore, "put" | "bytes" | "stat">;
  readonly env: Pick<Env, "log">;
  readonly bus: Pick<Bus, "publish">;
}

/**
 * The step from a version to the next, for devices that train: of float32 weights only rounded steps are small.
 *
 * @returns nothing where the delta would be hardly smaller than the weights
 */
export async function stepDelta(
  services: DeltaServices,
  base: VersionRecord,
  next: VersionRecord,
  steps: ReadonlyMap<string, QuantizedStep>,
): Promise<readonly TargetRecord[]> {
  const path = weightsPath(next.model, next.version);
  return storeDelta(services, next.model, {
    path,
    from: base.version,
    base: base.weights,
    next: next.weights,
    layout: "safetensors",
    steps,
  });
}

/** From what devices on a channel ran before to a version that they are to run: of its int8 weights and its derived forms. */
export async function releaseDeltas(
  services: DeltaServices & { readonly store: Pick<MetadataStore, "versions" | "channels"> },
  next: VersionRecord,
  channel: string,
): Promise<readonly TargetRecord[]> {
  const { model, version } = next;
  const targets: TargetRecord[] = [];
  for (const base of await releasedBefore(services.store, next, channel)) {
    const from = base.version;
    const int8 = int8WeightsPath(model, version);
    targets.push(
      ...(await storeDelta(services, model, {
        path: int8,
        from,
        base: base.int8,
        next: next.int8,
        layout: "safetensors",
      })),
    );
    for (const form of next.variants) {
      const before = base.variants.find(({ name }) => name === form.name);
      if (before === undefined) continue;
      const path = variantPath(model, version, form.name);
      targets.push(
        ...(await storeDelta(services, model, { path, from, base: before, next: form, layout: "onnx" })),
      );
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

/** Without it a release is whole too: what cannot be made of its files is left out, said and counted. */
async function storeDelta(
  { blobs, env, bus }: DeltaServices,
  model: ModelName,
  wanted: {
    readonly path: string;
    readonly from: ModelVersion;
    readonly base: BlobRef;
    readonly next: BlobRef;
  } & Pick<DeltaDerivation, "layout" | "steps">,
): Promise<readonly TargetRecord[]> {
  const { path, from, base, next, layout, steps } = wanted;
  // By the rule of the model, files of versions that left the release may be gone.
  if (base.sizeBytes !== next.sizeBytes || (await blobs.stat(base.digest)) === undefined) return [];
  const file = await blobs.bytes(next.digest);
  let delta: Uint8Array | undefined;
  try {
    const before = await blobs.bytes(base.digest);
    delta = await deriveApart({ type: "delta", base: before, next: file, layout, steps });
  } catch (error) {
    env.log.warn("registry: a version is released without a delta, devices download the whole file", {
      model,
      target: path,
      from,
      error: toFailure(error),
    });
    await bus.publish("delta-missing", { model, from, code: toFailure(error).code });
    return [];
  }
  if (delta === undefined || delta.length > LARGEST_SHARE * next.sizeBytes) return [];
  return [deltaTarget(model, path, from, await blobs.put(delta))];
}
