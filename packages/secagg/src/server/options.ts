import type { EncodingPlan } from "../encoding/plan-encoding.ts";
import type { CohortAssumptions } from "../graph/thresholds.ts";
import type { VerifyCertificate } from "../identity.ts";
import type { CohortMember } from "../messages.ts";
import type { SecAggCrypto } from "../primitives/crypto.ts";
import type { SessionBinding } from "../transcript.ts";

export interface SecAggServerOptions {
  readonly binding: SessionBinding;
  readonly encoding: EncodingPlan;
  readonly assumptions: CohortAssumptions;
  /** The task's floor. */
  readonly minimumCohort: number;
  /** Who is ready, with a commitment each. Their order numbers them. */
  readonly members: readonly CohortMember[];
  readonly verifyCertificate: VerifyCertificate;
  /** Goes to all members with the list. @defaultValue empty */
  readonly membershipProof?: Uint8Array;
  readonly crypto: SecAggCrypto;
}

/** Stages in order; the driver closes each, when all have answered or at its deadline. */
export type ServerStage =
  | "advertise"
  | "shareKeys"
  | "maskedInput"
  | "consistency"
  | "unmask"
  | "unmasking"
  | "done";

/** The same message again counts once. */
export type Acceptance = "accepted" | "repeated";

/** The sum over the survivors, and nothing else. */
export interface CohortSum {
  /** Sums of codes, reduced to each segment's ring. */
  readonly sum: Uint32Array<ArrayBuffer>;
  /** U3, ascending. */
  readonly contributors: readonly number[];
  /** Members whose shares turned out to be false. */
  readonly liars: readonly number[];
}
