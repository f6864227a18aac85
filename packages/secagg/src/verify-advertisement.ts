import { failure } from "@tributary/core";
import type { VerifiedIdentity } from "./identity.ts";
import type { Advertisement } from "./messages.ts";
import { advertisementMessage } from "./transcript.ts";

/**
 * Round 0, malicious variant: a member's session keys are signed by its identity key, for this cohort.
 *
 * @throws TributaryError `secagg/invalid-signature`.
 */
export async function verifyAdvertisement(
  {
    cohortId,
    identities,
  }: {
    readonly cohortId: Uint8Array;
    readonly identities: readonly VerifiedIdentity[];
  },
  advertisement: Advertisement,
): Promise<void> {
  const { member, signature } = advertisement;
  if (await identities[member]!.verify(advertisementMessage(cohortId, advertisement), signature)) return;
  throw failure(
    "secagg/invalid-signature",
    `secagg: the keys of member ${member} are not signed by it for this cohort`,
    { detail: { member } },
  );
}
