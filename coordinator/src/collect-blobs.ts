import type { Digest } from "@tributary/core";
import type { BlobStore } from "./ports/blob-store.ts";
import type { MetadataStore } from "./ports/metadata-store.ts";
import type { BlobRef, VersionRecord } from "./ports/model-records.ts";
import { everyVersion } from "./registry/every-version.ts";
import { keptVersions } from "./registry/retention.ts";
import { signedMeanwhile } from "./releases/is-signed.ts";

/** A blob that nothing refers to may have been uploaded for a task to come. */
export const UNUSED_KEPT_MS = 7 * 86_400_000;

type Rows =
  | "models"
  | "versions"
  | "versionStates"
  | "channels"
  | "aliases"
  | "tasks"
  | "rounds"
  | "rollouts"
  | "releases"
  | "optimizers"
  | "bufferedCohorts";

/**
 * Removes blobs that nothing refers to any more: manifests that were replaced, what a commit that failed had written, data
 * sets that no task uses. Versions that left the release keep theirs, unless the rule of their model says otherwise. To be called while nobody else
 * uses the store: between a blob and the row that refers to it nothing tells it from an unused one but its age.
 *
 * @returns how many were removed
 */
export async function collectBlobs(options: {
  readonly store: Pick<MetadataStore, Rows>;
  readonly blobs: Pick<BlobStore, "list" | "delete">;
  readonly now: number;
}): Promise<number> {
  const { store, blobs, now } = options;
  const used = await usedBlobs(store, now);
  let removed = 0;
  for await (const { digest, putAt } of blobs.list()) {
    if (used.has(digest) || putAt > now - UNUSED_KEPT_MS) continue;
    if (await blobs.delete(digest)) removed += 1;
  }
  return removed;
}

function formBlobs({ variants }: Pick<VersionRecord, "variants">): readonly BlobRef[] {
  return variants.flatMap((form) => (form.scales === undefined ? [form] : [form, form.scales]));
}

/**
 * Digests of all blobs that some row refers to.
 *
 * @param now - ms since the epoch: some versions stay for a time
 */
export async function usedBlobs(store: Pick<MetadataStore, Rows>, now: number): Promise<ReadonlySet<Digest>> {
  const used = new Set<Digest>();
  for (const { digest } of await store.releases.targets()) used.add(digest);
  for (const digest of await signedMeanwhile(store)) used.add(digest);
  for (const model of await store.models.list()) {
    const { name, graph, trainingGraph, explanation, personalisation, retention } = model;
    const kept = retention?.deleteFiles === true ? await keptVersions(store, name, { now }) : undefined;
    used.add(graph.digest);
    if (trainingGraph !== null) used.add(trainingGraph.digest);
    if (explanation !== null) used.add(explanation.digest);
    if (personalisation !== null)
      for (const { digest } of [personalisation.document, ...personalisation.graphs]) used.add(digest);
    for await (const version of everyVersion(store, name))
      if (kept?.has(version.version) !== false)
        for (const blob of [version.graph, version.weights, version.int8, ...formBlobs(version)])
          used.add(blob.digest);
    for (const { plan, aggregate, before, after } of await store.versionStates.list(name))
      for (const blob of [plan, aggregate, before?.state, before?.residual, after?.state, after?.residual])
        if (blob) used.add(blob.digest);
  }
  for (const { name, plan, gatePlan, spec } of await store.tasks.list()) {
    used.add(plan.digest);
    if (gatePlan !== null) used.add(gatePlan.digest);
    const optimizer = await store.optimizers.get(name);
    if (optimizer !== undefined)
      for (const blob of [optimizer.state, optimizer.residual]) if (blob !== null) used.add(blob.digest);
    for (const { sum } of await store.bufferedCohorts.pending(name)) used.add(sum.digest);
    if (spec.evaluation.dataset !== null) used.add(spec.evaluation.dataset);
    if (spec.reference !== null) used.add(spec.reference);
    if (spec.strategy.trustedDataset !== undefined) used.add(spec.strategy.trustedDataset);
    for (const { graph } of [spec.loss, ...spec.moreLosses]) if (graph !== undefined) used.add(graph);
  }
  return used;
}
