import { encodeHex, encodeUtf8, failure, sha256 } from "@tributary/core";
import type { SecurePlan, TaskSpec } from "@tributary/protocol";
import { cohortShape, planEncoding, type EncodingSpec } from "@tributary/secagg";
import { secureEncoding } from "../secure-vector.ts";

export interface SecurePlanOptions {
  readonly spec: TaskSpec;
  /** Of the plan. */
  readonly number: number;
  /** Values of an update that are weights, and that are statistics. */
  readonly weightCount: number;
  readonly statisticCount: number;
  readonly issuerPublicKey: Uint8Array;
}

/** Members a secure cohort may have: the encoding is proved for so many. */
const MAX_MEMBERS = 10_000;

/**
 * What a plan says of secure aggregation; undefined when the task opts out. What could not be summed without wrapping,
 * or not withstand what it assumes, is refused before anything is signed.
 *
 * @throws `secagg/ring-overflow`, `secagg/infeasible-graph`, `coordinator/invalid-task`
 */
export function securePlan(options: SecurePlanOptions): SecurePlan | undefined {
  const { spec, number, weightCount, statisticCount, issuerPublicKey } = options;
  const { mode, minimumCohort, corruption, dropout, valueBits, maxExampleLoss } = spec.secureAggregation;
  if (mode === "off") return undefined;
  const { goalCount, overSelection } = spec.cohort;
  const clients = Math.ceil(goalCount * overSelection);
  if (clients > MAX_MEMBERS) {
    throw failure(
      "coordinator/invalid-task",
      `registry: a secure cohort has at most ${MAX_MEMBERS} members, goalCount x overSelection is ${clients}`,
      { detail: { clients, maximum: MAX_MEMBERS } },
    );
  }
  const { epochs, maxExamples, batchSize } = spec.local;
  const encoding = secureEncoding({
    clients,
    weightCount,
    statisticCount,
    maxExamples,
    // Beyond 32 bits no ring holds it, which the plan of the encoding then says.
    maxSteps: Math.min(2 ** 32 - 1, epochs * Math.ceil(maxExamples / batchSize)),
    maxExampleLoss,
    maxUpdateNorm: spec.maxUpdateNorm,
    maxStatisticChange: spec.maxStatisticChange,
    valueBits,
    rotationSeed: sha256(encodeUtf8(`${spec.name} ${number}`)),
  });
  return provenPlan({ minimumCohort, corruption, dropout }, encoding, issuerPublicKey);
}

/**
 * A plan whose encoding cannot wrap and whose cohorts withstand what it assumes.
 *
 * @throws `secagg/ring-overflow`, `secagg/infeasible-graph`
 */
export function provenPlan(
  { minimumCohort, corruption, dropout }: Pick<SecurePlan, "minimumCohort" | "corruption" | "dropout">,
  encoding: EncodingSpec,
  issuerPublicKey: Uint8Array,
): SecurePlan {
  planEncoding(encoding);
  for (const size of [minimumCohort, encoding.clients]) {
    cohortShape(size, { corruption, dropout, adversary: "curious" });
  }
  return {
    minimumCohort,
    corruption,
    dropout,
    issuerPublicKey: encodeHex(issuerPublicKey),
    encoding: encoding as SecurePlan["encoding"],
  };
}
