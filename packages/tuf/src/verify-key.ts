import { platformEd25519 } from "#platform-ed25519";
import { decodeHex } from "@tributary/core";
import { platformSubtle, type Ed25519 } from "./ed25519.ts";
import type { TufKey } from "./metadata.ts";

/** Decides one signature of one key. False for key types it does not know and for bad bytes; never throws. */
export type SignatureVerifier = (key: TufKey, signature: Uint8Array, message: Uint8Array) => Promise<boolean>;

export interface VerifierOptions {
  /** Defaults to the platform's, or noble's where that has none. */
  readonly ed25519?: Ed25519;
  /** Defaults to the platform's; null to do without: ECDSA and RSA keys then count for nothing. */
  readonly subtle?: SubtleCrypto | null;
}

/** Scheme names of the spec, and the key types under which tools list them. */
const KEY_TYPES: Readonly<Record<string, readonly string[]>> = {
  ed25519: ["ed25519"],
  "ecdsa-sha2-nistp256": ["ecdsa", "ecdsa-sha2-nistp256"],
  "rsassa-pss-sha256": ["rsa"],
};

/** The spec's three schemes (4.2): Ed25519, ECDSA P-256 and RSA-PSS with SHA-256. */
export async function createVerifier(options: VerifierOptions = {}): Promise<SignatureVerifier> {
  const { subtle = platformSubtle() } = options;
  const ed25519 = options.ed25519 ?? (await platformEd25519(subtle));
  return async (key, signature, message) => {
    if (!KEY_TYPES[key.scheme]?.includes(key.keyType)) return false;
    try {
      if (key.scheme === "ed25519") {
        return await ed25519.verify(decodeHex(key.public), signature, message);
      }
      if (subtle === null) return false;
      // Only who meets such keys loads how they sign: this project's releases are signed with Ed25519.
      const { verifyP256, verifyRsaPss } = await import("./verify-pem-key.ts");
      return key.scheme === "rsassa-pss-sha256"
        ? await verifyRsaPss(subtle, key.public, signature, message)
        : await verifyP256(subtle, key.public, signature, message);
    } catch {
      return false; // a key or a signature that does not decode has signed nothing
    }
  };
}
