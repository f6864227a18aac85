import { failure, systemRandom } from "@tributary/core";
import type { Ed25519Signer } from "@tributary/tuf";
import { createSigningKey, readSigningKey, signingKeyPath } from "../keys/signing-key.ts";

// The key of an issuer that is no coordinator: a folder of its own, in the same format and with the same checks.

/**
 * Makes `<folder>/issuer.key.json`, which its owner alone can read.
 *
 * @throws TributaryError `store/conflict` where there is one: keys are never overwritten.
 */
export function createIssuerKey(folder: string): Promise<Ed25519Signer> {
  return createSigningKey(folder, "issuer", systemRandom);
}

/** @throws TributaryError `coordinator/key-missing`, `coordinator/key-insecure`, `coordinator/key-corrupt` */
export async function readIssuerKey(folder: string): Promise<Ed25519Signer> {
  const key = await readSigningKey(folder, "issuer");
  if (key !== undefined) return key;
  const path = signingKeyPath(folder, "issuer");
  throw failure(
    "coordinator/key-missing",
    `issuer: there is no ${path}; make one with "tributary issue key"`,
    {
      detail: { path },
    },
  );
}
