import { decodeHex, failure } from "@tributary/core";
import type { Envelope, RoleKeys, RootMetadata, TargetsMetadata, TufKey, TufRole } from "./metadata.ts";
import type { SignatureVerifier } from "./verify-key.ts";

/** Who may sign a role, and who says so. */
export interface Delegator {
  /** "root version 3" */
  readonly name: string;
  /** The role that is signed for. */
  readonly role: string;
  readonly keys: ReadonlyMap<string, TufKey>;
  readonly signers: RoleKeys;
}

/** A top-level role, as a root says. */
export function byRoot(root: RootMetadata, role: TufRole): Delegator {
  return { name: `root version ${root.version}`, role, keys: root.keys, signers: root.roles[role] };
}

/** A delegated role, as the targets of another say. @throws TypeError where they do not delegate to it */
export function byTargets(delegator: string, targets: TargetsMetadata, role: string): Delegator {
  const { keys, roles } = targets.delegations;
  const signers = roles.find(({ name }) => name === role);
  if (signers === undefined) throw new TypeError(`tuf: ${delegator} does not delegate to ${role}`);
  return { name: `${delegator} version ${targets.version}`, role, keys, signers };
}

/**
 * Counts how many of a role's keys, as its delegator lists them, signed a file; stops at the threshold.
 *
 * Counted are distinct public keys, not keyids: one key under two names has one vote.
 */
export async function countSignatures(
  { keys, signers: { keyIds, threshold } }: Delegator,
  file: Envelope<unknown>,
  verify: SignatureVerifier,
): Promise<{ valid: number; threshold: number }> {
  const signed = new Set<string>();
  for (const { keyId, signature } of file.signatures) {
    if (signed.size >= threshold) break;
    const key = keyIds.includes(keyId) ? keys.get(keyId) : undefined;
    if (key === undefined || signature === "") continue;
    const identity = `${key.scheme} ${key.public.trim()}`;
    if (signed.has(identity)) continue;
    if (await verify(key, decodeHex(signature.toLowerCase()), file.signedBytes)) signed.add(identity);
  }
  return { valid: signed.size, threshold };
}

/**
 * Requires that a threshold of a role's keys signed a file.
 *
 * @param step - of the spec, for the error.
 * @throws TributaryError `tuf/threshold-not-met`.
 */
export async function requireThreshold(
  delegator: Delegator,
  file: Envelope<unknown>,
  verify: SignatureVerifier,
  step: string,
): Promise<void> {
  const { valid, threshold } = await countSignatures(delegator, file, verify);
  if (valid >= threshold) return;
  const { role, name } = delegator;
  throw failure(
    "tuf/threshold-not-met",
    `tuf: ${role}: expected valid signatures of ${threshold} keys that ${name} lists, got ${valid} (spec ${step})`,
    { detail: { role, step, threshold, valid } },
  );
}
