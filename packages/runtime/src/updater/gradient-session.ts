import { failure } from "@tributary/core";
import { bindWeights } from "@tributary/onnx/bind";
import type { EngineProvider, SessionLease } from "../engine-provider.ts";
import type { ExplanationSpec } from "../explain/gradients.ts";
import type { InstalledModel } from "../store/device-store.ts";
import type { ModelManifest } from "@tributary/protocol";
import type { BlobFetcher } from "./blob-fetcher.ts";
import type { Releases } from "./releases.ts";
import { sampleFeeds } from "./sample-feeds.ts";
import { readWeights, versionFiles } from "./version-files.ts";

export interface GradientSessionOptions {
  readonly manifest: ModelManifest;
  readonly explanation: ExplanationSpec;
  readonly installed: InstalledModel;
  readonly releases: Releases;
  readonly blobs: BlobFetcher;
  readonly engines: EngineProvider;
  readonly signal?: AbortSignal | undefined;
}

/** A session of the graph that explains a version, with that version's weights. The graph is fetched with the first of them. */
export async function openGradients(options: GradientSessionOptions): Promise<SessionLease> {
  const { manifest, explanation, installed, releases, blobs, engines, signal } = options;
  const { target } = explanation.graph;
  const { sha256: digest } = releases.target(target);
  const { weights } = versionFiles(manifest, installed.files);
  const key = `explanation:${digest}+${weights.digest}`;
  return await engines.openInference({
    key,
    format: "onnx",
    async model() {
      const [graph, stored] = await Promise.all([
        releases.fetchTarget(target, { signal }),
        blobs.cached(weights.digest),
      ]);
      if (stored === undefined) {
        throw failure(
          "runtime/offline",
          `model ${manifest.model}: the weights of version ${manifest.version} are missing`,
        );
      }
      return bindWeights(graph, readWeights(manifest, installed.files, stored));
    },
    sample: () => sampleFeeds([...explanation.inputs, explanation.weights], key),
    ...(signal === undefined ? {} : { signal }),
  });
}
