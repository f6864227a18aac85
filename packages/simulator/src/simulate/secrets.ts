import { createCipheriv } from "node:crypto";
import { encodeUtf8, sha256Bytes, type SecureRandom } from "@tributary/core";

/**
 * Stands in for the secrets of simulated devices, so that a simulation with masks is as repeatable as one without:
 * AES-128-CTR under a key that follows from the seed. Nothing simulated is secret; no real device may use it.
 */
export function simulatedSecrets(seed: string): SecureRandom {
  const key = sha256Bytes(encodeUtf8(`tributary-simulated-secrets-v1:${seed}`));
  const stream = createCipheriv("aes-128-ctr", key.subarray(0, 16), key.subarray(16, 32));
  return { kind: "secure", bytes: (length) => new Uint8Array(stream.update(new Uint8Array(length))) };
}
