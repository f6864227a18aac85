import { failure } from "@tributary/core";
import { bindWeights, readMetadata } from "@tributary/onnx/bind";
import {
  EXPLANATION_KEY,
  parseExplanationSpec,
  type ExplanationSpec,
  type ModelManifest,
} from "@tributary/protocol";
import type { EngineProvider, SessionLease } from "../engine-provider.ts";
import type { InstalledModel } from "../store/device-store.ts";
import type { BlobFetcher } from "./blob-fetcher.ts";
import type { Releases } from "./releases.ts";
import { sampleFeeds } from "@tributary/engine/sample-feeds";
import { readWeights } from "./bind-version.ts";
import { versionFiles } from "./version-files.ts";

export interface GradientSessionOptions {
  readonly manifest: ModelManifest;
  /** Path of the graph. */
  readonly path: string;
  readonly installed: InstalledModel;
  readonly releases: Releases;
  readonly blobs: BlobFetcher;
  readonly engines: EngineProvider;
  readonly signal?: AbortSignal | undefined;
}

/** A session of the graph that explains a version, and how it is fed and read. */
export interface OpenGradients {
  readonly lease: SessionLease;
  readonly spec: ExplanationSpec;
}

/** Opens it with the version's weights. The graph is fetched with the first of them. */
export async function openGradients(options: GradientSessionOptions): Promise<OpenGradients> {
  const { manifest, path, installed, releases, blobs, engines, signal } = options;
  const { sha256: digest } = await releases.target(path, signal);
  const { weights } = versionFiles(manifest, installed.files);
  const graph = await releases.fetchTarget(path, { signal });
  const spec = parseExplanationSpec(readMetadata(graph, EXPLANATION_KEY) ?? "");
  const key = `explanation:${digest}+${weights.digest}`;
  const lease = await engines.openInference({
    key,
    format: "onnx",
    async model() {
      const stored = await blobs.cached(weights.digest);
      if (stored !== undefined) return bindWeights(graph, readWeights(manifest, installed.files, stored));
      throw failure(
        "runtime/offline",
        `model ${manifest.model}: the weights of version ${manifest.version} are missing`,
      );
    },
    sample: () => sampleFeeds([...spec.inputs, spec.weights], key),
    ...(signal === undefined ? {} : { signal }),
  });
  return { lease, spec };
}
