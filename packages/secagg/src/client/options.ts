import type { SecureRandom } from "@tributary/core";
import type { EncodingPlan } from "../encoding/plan-encoding.ts";
import type { CohortAssumptions } from "../graph/thresholds.ts";
import type { VerifyCertificate } from "../identity.ts";
import type { SecAggCrypto } from "../primitives/crypto.ts";
import type { SessionBinding } from "../transcript.ts";

/** A device's own floor where its app names none. */
export const DEFAULT_MINIMUM_COHORT = 16;

/** Below this a sum hides nothing whatever the app says: with two members each sees the other. */
export const LEAST_COHORT = 3;

export interface SecAggClientOptions {
  /** Task, round, plan, base weights and encoding as this device verified them. */
  readonly binding: SessionBinding;
  readonly encoding: EncodingPlan;
  readonly assumptions: CohortAssumptions;
  /**
   * The device's floor: the smallest cohort, and the smallest sum, it takes part in.
   *
   * @defaultValue 16
   */
  readonly minimumCohort?: number;
  /** The task's floor; it can raise the device's, never lower it. */
  readonly taskMinimumCohort?: number;
  /** The issuer's certificate of this device's identity key. */
  readonly certificate: Uint8Array;
  /** Signs with the identity key; 64 bytes. */
  readonly sign: (message: Uint8Array) => Promise<Uint8Array>;
  readonly verifyCertificate: VerifyCertificate;
  readonly random: SecureRandom;
  readonly crypto: SecAggCrypto;
}

/** The floor that holds. */
export function floorOf(options: Pick<SecAggClientOptions, "minimumCohort" | "taskMinimumCohort">): number {
  const { minimumCohort = DEFAULT_MINIMUM_COHORT, taskMinimumCohort = 0 } = options;
  if (!Number.isInteger(minimumCohort) || minimumCohort < LEAST_COHORT) {
    throw new RangeError(
      `secagg: minimumCohort must be an integer of at least ${LEAST_COHORT}, got ${minimumCohort}`,
    );
  }
  return Math.max(minimumCohort, taskMinimumCohort);
}
