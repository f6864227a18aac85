import { failure, type Digest, type RoundId } from "@tributary/core";
import { parsePlan, type Plan } from "@tributary/protocol";
import { parameterCount, schemaDigest } from "@tributary/tensor";
import type { BlobStore } from "../ports/blob-store.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { TaskRecord } from "../ports/records.ts";
import type { UpdateRules } from "./update-check.ts";

/** A task's plan as the rounds use it. */
export interface RoundPlan {
  readonly plan: Plan;
  readonly parameterCount: number;
  readonly schemaDigest: Digest;
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
    plan,
    parameterCount: parameterCount(plan.parameters),
    schemaDigest: schemaDigest(plan.parameters),
    trainingGraphs: await Promise.all(
      [target, ...(webgpu === undefined ? [] : [webgpu.target])].map(digestOf),
    ),
    evaluationGraph: await digestOf(plan.evaluation.target),
  };
}

/** What an update of a round under this plan has to be. */
export function updateRules(
  { plan, parameterCount: count, schemaDigest: schema }: RoundPlan,
  roundId: RoundId,
): UpdateRules {
  return {
    roundId,
    task: plan.task,
    schemaDigest: schema,
    parameterCount: count,
    maxUpdateNorm: plan.maxUpdateNorm,
    maxExamples: plan.local.maxExamples,
  };
}
