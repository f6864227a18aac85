import type { StrategyRegistry } from "@tributary/aggregation";
import { asModelVersion, failure, type ModelName } from "@tributary/core";
import { isTfjsInstalled } from "@tributary/engine/tfjs-node";
import { strategyOf, withLoss } from "@tributary/federation/planning";
import { NEWEST, parseTaskSpec, type TaskSpec } from "@tributary/protocol";
import type { BlobStore } from "../ports/blob-store.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { ModelRecord } from "../ports/model-records.ts";
import { versionOf } from "./aliases.ts";
import { planSource } from "./plan.ts";
import { requireDatasets } from "./require-dataset.ts";

/** A task's document that could be created, with what was left unsaid. */
export interface CheckedTask {
  readonly spec: TaskSpec;
  readonly model: ModelRecord;
  /** What its plans are made from. */
  readonly complete: Awaited<ReturnType<typeof planSource>>;
}

export interface CheckTaskOptions {
  /** false: a task of this name may be there. @defaultValue true */
  readonly isNew?: boolean;
}

/**
 * Holds a task's document to its schema, its model and the data sets that it names. Whether the model can be trained so is known
 * when its plan is made, whether another task is at work on it when it begins.
 *
 * @throws `protocol/invalid-document`, `aggregation/*`, `coordinator/task-exists`, `coordinator/unknown-model`, `coordinator/invalid-task`
 */
export async function checkTask(
  {
    store,
    blobs,
    strategies,
  }: { readonly store: MetadataStore; readonly blobs: BlobStore; readonly strategies: StrategyRegistry },
  document: unknown,
  modelOf: (name: ModelName) => Promise<ModelRecord>,
  { isNew = true }: CheckTaskOptions = {},
): Promise<CheckedTask> {
  const parsed = parseTaskSpec(document);
  const { choice } = strategyOf(strategies, parsed);
  const asked = { ...parsed, strategy: { ...parsed.strategy, ...choice } };
  if (isNew && (await store.tasks.get(asked.name)) !== undefined)
    throw failure("coordinator/task-exists", `registry: task "${asked.name}" exists already`, {
      detail: { task: asked.name },
    });
  const model = await modelOf(asked.model);
  const version = await store.versions.get(model.name, model.currentVersion);
  if (version === undefined)
    throw failure(
      "coordinator/unknown-version",
      `registry: version ${model.currentVersion} of "${model.name}"`,
    );
  const complete = await planSource(blobs, model, version);
  const spec = { ...withLoss(asked, complete), candidate: await candidateOf(store, asked) };
  await requireDatasets(blobs, spec, model, isTfjsInstalled);
  return { spec, model, complete };
}

/** What a task compares with the released version: the newest of each time, or one version. */
async function candidateOf(
  store: Pick<MetadataStore, "models" | "versions" | "aliases">,
  { model, candidate }: Pick<TaskSpec, "model" | "candidate">,
): Promise<TaskSpec["candidate"]> {
  if (candidate === null || candidate === NEWEST) return candidate;
  const wanted = typeof candidate === "number" ? asModelVersion(candidate) : candidate;
  return (await versionOf(store, model, wanted)).version;
}
