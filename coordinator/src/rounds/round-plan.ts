import { failure, type Digest } from "@tributary/core";
import { planRules, type PlanRules } from "@tributary/federation/aggregation";
import { parsePlan } from "@tributary/protocol";
import type { BlobStore } from "../ports/blob-store.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { TaskRecord } from "../ports/task-records.ts";

/** A task's plan as the rounds use it. */
export interface RoundPlan extends PlanRules {
  /** The one for CPUs, and the one for WebGPU where there is one. */
  readonly trainingGraphs: readonly Digest[];
  readonly evaluationGraph: Digest;
}

/** @throws `store/*`, `protocol/invalid-document` */
export async function readRoundPlan(
  { blobs, store }: { readonly blobs: BlobStore; readonly store: MetadataStore },
  task: TaskRecord,
): Promise<RoundPlan> {
  const plan = parsePlan(await blobs.bytes(task.plan.digest));
  const digestOf = async (path: string): Promise<Digest> => {
    const target = await store.releases.target(path);
    if (target === undefined) {
      throw failure("store/corrupt", `rounds: plan of "${task.name}" names ${path}, which is not released`);
    }
    return target.digest;
  };
  const { target, webgpu } = plan.training;
  return {
    ...planRules(plan),
    trainingGraphs: await Promise.all(
      [target, ...(webgpu === undefined ? [] : [webgpu.target])].map(digestOf),
    ),
    evaluationGraph: await digestOf(plan.evaluation.target),
  };
}
