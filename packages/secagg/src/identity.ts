import { failure } from "@tributary/core";
import type { CohortMember } from "./messages.ts";

/** What a verified certificate says. */
export interface VerifiedIdentity {
  /** The certified identity key; no two members of a cohort may have the same. */
  readonly publicKey: Uint8Array;
  /** Whether the identity key made the signature (64 bytes: Ed25519, or P-256 in IEEE P1363 form). Never throws. */
  verify(message: Uint8Array, signature: Uint8Array): Promise<boolean>;
}

/** Checks issuer, app and expiry; rejects for a certificate that does not hold. It may cache. */
export type VerifyCertificate = (certificate: Uint8Array) => Promise<VerifiedIdentity>;

/**
 * Verifies the certificates of a whole cohort and that each identity stands in it once: a second entry would sign a
 * second time.
 *
 * @throws TributaryError `secagg/invalid-certificate` or `secagg/invalid-cohort`.
 */
export async function verifyMembers(
  members: readonly CohortMember[],
  verifyCertificate: VerifyCertificate,
): Promise<VerifiedIdentity[]> {
  const identities = await Promise.all(
    members.map(async ({ certificate }, member) => {
      try {
        return await verifyCertificate(certificate);
      } catch (cause) {
        throw failure(
          "secagg/invalid-certificate",
          `secagg: the certificate of member ${member} does not verify`,
          { cause, detail: { member } },
        );
      }
    }),
  );
  requireDistinct(
    identities.map(({ publicKey }) => publicKey),
    (member) =>
      failure("secagg/invalid-cohort", `secagg: the identity of member ${member} is listed twice`, {
        detail: { member },
      }),
  );
  return identities;
}

/** Throws what `repeated` makes for the index of the first key that came before. */
export function requireDistinct(keys: readonly Uint8Array[], repeated: (index: number) => Error): void {
  const seen = new Set<string>();
  for (const [index, key] of keys.entries()) {
    const text = String.fromCharCode(...key);
    if (seen.has(text)) throw repeated(index);
    seen.add(text);
  }
}
