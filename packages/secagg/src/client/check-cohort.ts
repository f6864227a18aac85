import { equalBytes, failure } from "@tributary/core";
import { cohortShape, type CohortShape } from "../graph/thresholds.ts";
import { verifyMembers, type VerifiedIdentity } from "../identity.ts";
import type { CohortList } from "../messages.ts";
import { cohortIdOf, commitmentOf, listDigestOf } from "../transcript.ts";
import { floorOf, type SecAggClientOptions } from "./options.ts";

/** A cohort that this member has checked. */
export interface Cohort {
  /** This member's number. */
  readonly self: number;
  readonly list: CohortList;
  readonly listDigest: Uint8Array;
  readonly cohortId: Uint8Array;
  readonly shape: CohortShape;
  readonly identities: readonly VerifiedIdentity[];
  /** The fewest members of any stage: the device's floor, and the signature threshold. */
  readonly least: number;
}

/**
 * What must hold of the list before the nonce is revealed.
 *
 * @throws TributaryError `secagg/cohort-too-small`, `secagg/invalid-cohort` or `secagg/invalid-certificate`.
 */
export async function checkCohort(
  options: SecAggClientOptions,
  nonce: Uint8Array,
  list: CohortList,
): Promise<Cohort> {
  const { binding, encoding, assumptions, certificate, verifyCertificate } = options;
  const { members } = list;
  const floor = floorOf(options);
  // Bonawitz 2017, §6.2: against a lying server the client itself insists on enough members.
  if (members.length < floor) {
    throw failure(
      "secagg/cohort-too-small",
      `secagg: this device takes part in cohorts of at least ${floor}, got ${members.length}`,
      { detail: { floor, got: members.length } },
    );
  }
  if (members.length > encoding.spec.clients) {
    throw failure(
      "secagg/invalid-cohort",
      `secagg: the encoding holds sums of at most ${encoding.spec.clients} members, got ${members.length}`,
    );
  }
  // Round 0: one's own entry is present exactly once. The commitment is the one this device sent.
  const own = members.flatMap((member, i) => (equalBytes(member.certificate, certificate) ? [i] : []));
  if (own.length !== 1) {
    throw failure(
      "secagg/invalid-cohort",
      `secagg: this device's certificate must be listed once, got ${own.length}`,
    );
  }
  const self = own[0]!;
  if (!equalBytes(members[self]!.commitment, commitmentOf(nonce))) {
    throw failure("secagg/commitment-mismatch", "secagg: the list has another commitment for this device", {
      detail: { member: self },
    });
  }
  // Round 0, malicious variant: every member is vouched for by the issuer, not by the server (Sybil members).
  const identities = await verifyMembers(members, verifyCertificate);
  const shape = cohortShape(members.length, assumptions);
  const listDigest = listDigestOf(list);
  return {
    self,
    list,
    listDigest,
    cohortId: cohortIdOf(binding, listDigest),
    shape,
    identities,
    least: Math.max(floor, shape.signatureThreshold),
  };
}
