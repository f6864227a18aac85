import { sha256, type Digest } from "@tributary/core";
import type { TrainResult } from "@tributary/engine/training";
import { count, createMetrics, trainingMetrics } from "@tributary/metrics";
import { encodeUpdate, updateSchema, type Offer, type Plan } from "@tributary/protocol";
import { schemaDigest } from "@tributary/tensor";

/** A finished update as it is uploaded where updates are reported one by one. */
export interface UpdateBody {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly digest: Digest;
  /** `trainingMetrics` vector. */
  readonly metrics: readonly number[];
}

export function updateBody(
  offer: Pick<Offer, "roundId" | "task">,
  plan: Pick<Plan, "update">,
  { update, numExamples, lossSum, correct, steps }: TrainResult,
): UpdateBody {
  const metrics = createMetrics(trainingMetrics);
  count(trainingMetrics, metrics, "lossSum", lossSum);
  count(trainingMetrics, metrics, "correct", correct);
  count(trainingMetrics, metrics, "examples", numExamples);
  count(trainingMetrics, metrics, "steps", steps);
  const header = {
    roundId: offer.roundId,
    task: offer.task,
    schemaDigest: schemaDigest(updateSchema(plan.update)),
    numExamples,
    metrics: [...metrics],
  };
  const body = encodeUpdate(header, update);
  return { body, digest: sha256(body), metrics: header.metrics };
}
