import { encodeHex, sha256 } from "@tributary/core";
import { canonicalJson } from "./canonical-json.ts";
import type { JsonObject } from "./json.ts";
import type { TufKey } from "./metadata.ts";

/** A public key, as metadata lists it (spec 4.2). */
export type TufPublicKey = Pick<TufKey, "keyType" | "scheme" | "public">;

/** @param publicKey - 32 bytes */
export function ed25519PublicKey(publicKey: Uint8Array): TufPublicKey {
  return { keyType: "ed25519", scheme: "ed25519", public: encodeHex(publicKey) };
}

/** @param spki - SubjectPublicKeyInfo of a P-256 key in DER, 91 bytes */
export function p256PublicKey(spki: Uint8Array): TufPublicKey {
  const base64 = btoa(String.fromCharCode(...spki));
  const lines = base64.match(/.{1,64}/g) ?? [];
  const pem = `-----BEGIN PUBLIC KEY-----\n${lines.join("\n")}\n-----END PUBLIC KEY-----\n`;
  return { keyType: "ecdsa", scheme: "ecdsa-sha2-nistp256", public: pem };
}

/** A key as it stands in a file. */
export function keyJson({ keyType, scheme, public: text }: TufPublicKey): JsonObject {
  return { keytype: keyType, scheme, keyval: { public: text } };
}

/** Spec 4.2: the SHA-256 of the key's canonical form. */
export function keyIdOf(key: TufPublicKey): string {
  return sha256(canonicalJson(keyJson(key)));
}
