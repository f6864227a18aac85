import { asModelVersion, type ModelVersion } from "@tributary/core";
import type { ModelManifest } from "@tributary/protocol";
import { type ParameterSet, parametersToSafetensors, quantizeParameters } from "@tributary/tensor";
import type { BlobStore } from "../ports/blob-store.ts";
import type { BlobRef, JsonValue, ModelRecord, TargetRecord } from "../ports/records.ts";
import type { TargetChanges } from "../rooms.ts";
import { timestamp } from "./views.ts";

/** Weights of older versions leave the release; their blobs and rows stay. */
export const RELEASED_VERSIONS = 20;

/** Paths of a model's targets. */
export const modelTargets = {
  manifest: (model: string, channel: string) => `models/${model}/${channel}.json`,
  graph: (model: string, graph: BlobRef) => `models/${model}/graphs/${graph.digest.slice(0, 16)}.onnx`,
  weights: (model: string, version: number) => `models/${model}/versions/${version}/weights.safetensors`,
  int8: (model: string, version: number) => `models/${model}/versions/${version}/weights.int8.safetensors`,
};

export interface VersionArtifactsOptions {
  readonly blobs: BlobStore;
  readonly model: Omit<ModelRecord, "currentVersion">;
  readonly version: ModelVersion;
  readonly parentVersion: ModelVersion | null;
  readonly parameters: ParameterSet;
  /** ms since the epoch */
  readonly createdAt: number;
}

/** The blobs of a version, on disk, and what they change in the release. */
export interface VersionArtifacts {
  readonly weights: BlobRef;
  readonly int8: BlobRef;
  readonly manifest: BlobRef;
  readonly targets: TargetChanges;
}

/**
 * Derives and stores everything a version consists of: float32 and int8 weights and the channel's manifest.
 * The first step of a commit: nothing refers to the blobs until the version is committed.
 */
export async function storeVersionArtifacts(options: VersionArtifactsOptions): Promise<VersionArtifacts> {
  const { blobs, model, version, parameters } = options;
  const weights = await blobs.put(parametersToSafetensors(parameters));
  const int8 = await blobs.put(quantizeParameters(parameters));
  const paths = {
    graph: modelTargets.graph(model.name, model.graph),
    weights: modelTargets.weights(model.name, version),
    int8: modelTargets.int8(model.name, version),
    manifest: modelTargets.manifest(model.name, model.channel),
  };
  const document: ModelManifest = {
    formatVersion: 1,
    model: model.name,
    channel: model.channel,
    version,
    parentVersion: options.parentVersion,
    graph: { target: paths.graph },
    weights: { float32: { target: paths.weights }, int8: { target: paths.int8 } },
    parameters: model.parameters,
    input: model.input,
    output: model.output,
    ...(model.labels === null ? {} : { labels: model.labels }),
    createdAt: timestamp(options.createdAt),
  };
  const manifest = await blobs.put(new TextEncoder().encode(JSON.stringify(document)));
  const custom = { model: model.name, version };
  return {
    weights,
    int8,
    manifest,
    targets: {
      put: [
        target(paths.graph, model.graph, null),
        target(paths.weights, weights, custom),
        target(paths.int8, int8, custom),
        target(paths.manifest, manifest, custom),
      ],
      remove: retiredTargets(model.name, version),
    },
  };
}

/** The targets of the version that falls out of the release when `version` enters it. */
function retiredTargets(model: string, version: number): string[] {
  if (version <= RELEASED_VERSIONS) return [];
  const retired = asModelVersion(version - RELEASED_VERSIONS);
  return [modelTargets.weights(model, retired), modelTargets.int8(model, retired)];
}

export function target(path: string, blob: BlobRef, custom: JsonValue | null): TargetRecord {
  return { path, digest: blob.digest, sizeBytes: blob.sizeBytes, custom };
}
