import { encodeHex, failure } from "@tributary/core";
import { readPublicKey, type IssuerDocument, type SecurePlan } from "@tributary/protocol";
import type { TrustLimits } from "../trust-limits.ts";

/**
 * That a plan's members are vouched for by the issuer that the release names, and by the one that the app pins, if it pins
 * one: who signs releases could name another.
 *
 * @throws `federation/plan-refused`
 */
export function requireIssuer(
  { issuer }: TrustLimits,
  { issuerPublicKey }: SecurePlan,
  released: IssuerDocument,
): void {
  const refused = (whose: string): Error =>
    failure("federation/plan-refused", `learner: the plan names issuer ${issuerPublicKey}, ${whose}`, {
      detail: { issuer: issuerPublicKey },
    });
  if (released.publicKey !== issuerPublicKey) throw refused(`the release ${released.publicKey}`);
  const pinned = issuer === undefined ? undefined : readPublicKey(issuer);
  if (issuer !== undefined && (pinned === undefined || encodeHex(pinned) !== issuerPublicKey)) {
    throw refused(`this app pins ${issuer}`);
  }
}
