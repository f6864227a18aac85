import { decodeHex, failure } from "@tributary/core";
import type { Envelope, RootMetadata, TufRole } from "./metadata.ts";
import type { SignatureVerifier } from "./verify-key.ts";

/**
 * Counts how many of `role`'s keys, as `root` lists them, signed a file; stops at the threshold.
 *
 * Counted are distinct public keys, not keyids: one key under two names has one vote.
 */
export async function countSignatures(
  root: RootMetadata,
  role: TufRole,
  file: Envelope<unknown>,
  verify: SignatureVerifier,
): Promise<{ valid: number; threshold: number }> {
  const { keyIds, threshold } = root.roles[role];
  const signed = new Set<string>();
  for (const { keyId, signature } of file.signatures) {
    if (signed.size >= threshold) break;
    const key = keyIds.includes(keyId) ? root.keys.get(keyId) : undefined;
    if (key === undefined || signature === "") continue;
    const identity = `${key.scheme} ${key.public.trim()}`;
    if (signed.has(identity)) continue;
    if (await verify(key, decodeHex(signature.toLowerCase()), file.signedBytes)) signed.add(identity);
  }
  return { valid: signed.size, threshold };
}

/**
 * Requires that a threshold of `role`'s keys, as `root` lists them, signed a file.
 *
 * @param step - of the spec, for the error.
 * @throws TributaryError `tuf/threshold-not-met`.
 */
export async function requireThreshold(
  root: RootMetadata,
  role: TufRole,
  file: Envelope<unknown>,
  verify: SignatureVerifier,
  step: string,
): Promise<void> {
  const { valid, threshold } = await countSignatures(root, role, file, verify);
  if (valid >= threshold) return;
  throw failure(
    "tuf/threshold-not-met",
    `tuf: ${role}: expected valid signatures of ${threshold} keys that root version ${root.version} lists, got ${valid} (spec ${step})`,
    { detail: { role, step, threshold, valid } },
  );
}
