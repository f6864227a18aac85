import { failure, type Digest, type PopulationName, type RoundId } from "@tributary/core";
import { parsePlan, updateSchema, type Plan, type SecurePlan } from "@tributary/protocol";
import { planEncoding, type CohortAssumptions, type EncodingPlan } from "@tributary/secagg";
import { parameterCount, schemaDigest } from "@tributary/tensor";
import type { BlobStore } from "../ports/blob-store.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { TaskRecord } from "../ports/records.ts";
import type { UpdateRules } from "./update-check.ts";

/** A task's plan as the rounds use it. */
export interface RoundPlan {
  readonly plan: Plan;
  /** Values of an update: weights, then statistics. */
  readonly weightCount: number;
  readonly statisticCount: number;
  /** Of what an update holds. */
  readonly schemaDigest: Digest;
  /** The one for CPUs, and the one for WebGPU where there is one. */
  readonly trainingGraphs: readonly Digest[];
  readonly evaluationGraph: Digest;
  /** Null: updates are reported one by one. */
  readonly secure: SecureRoundPlan | null;
}

/** What a plan says of secure aggregation, as the rounds use it. */
export interface SecureRoundPlan {
  readonly plan: SecurePlan;
  readonly population: PopulationName;
  readonly encoding: EncodingPlan;
  readonly assumptions: CohortAssumptions;
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
    weightCount: parameterCount(updateSchema(plan.update, "weight")),
    statisticCount: parameterCount(updateSchema(plan.update, "statistic")),
    schemaDigest: schemaDigest(updateSchema(plan.update)),
    trainingGraphs: await Promise.all(
      [target, ...(webgpu === undefined ? [] : [webgpu.target])].map(digestOf),
    ),
    evaluationGraph: await digestOf(plan.evaluation.target),
    secure: secureRoundPlan(plan),
  };
}

export function secureRoundPlan({
  population,
  secureAggregation: secure,
}: Pick<Plan, "population" | "secureAggregation">): SecureRoundPlan | null {
  if (secure === undefined) return null;
  const { corruption, dropout } = secure;
  return {
    plan: secure,
    population,
    encoding: planEncoding(secure.encoding),
    assumptions: { corruption, dropout, adversary: "curious" },
  };
}

/** What an update of a round under this plan has to be. */
export function updateRules(
  { plan, weightCount, statisticCount, schemaDigest: schema }: RoundPlan,
  roundId: RoundId,
): UpdateRules {
  return {
    roundId,
    task: plan.task,
    schemaDigest: schema,
    weightCount,
    statisticCount,
    maxUpdateNorm: plan.maxUpdateNorm,
    maxStatisticChange: plan.update.maxStatisticChange,
    maxExamples: plan.local.maxExamples,
  };
}
