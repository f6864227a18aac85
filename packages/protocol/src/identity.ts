import {
  asDeviceId,
  concatBytes,
  digest,
  encode,
  encodeHex,
  encodeUtf8,
  roundId,
  sha256Bytes,
  struct,
  u53,
  type Codec,
  type DeviceId,
  type Digest,
  type RoundId,
} from "@tributary/core";
import type { HealthReport } from "./device-health.ts";

/** Signs with a key the caller holds, which may be a non-extractable CryptoKey. Ed25519: 64 bytes. */
export type Sign = (message: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>;

/** Every signature of a device is over a purpose, then the content: none can be used for another purpose. */
const PURPOSE = {
  hello: encodeUtf8("tributary-hello-v1"),
  upload: encodeUtf8("tributary-upload-v1"),
  enrolment: encodeUtf8("tributary-enrol-v1"),
  erasure: encodeUtf8("tributary-erase-v1"),
  health: encodeUtf8("tributary-health-v1"),
} as const;

/** A device is named by its key: the first 16 bytes of the SHA-256 of the raw public key, in hex. */
export function deviceIdOf(publicKey: Uint8Array): Promise<DeviceId> {
  // Asynchronous by contract, so that the digest may move to WebCrypto without touching callers.
  return Promise.resolve(asDeviceId(encodeHex(sha256Bytes(publicKey).subarray(0, 16))));
}

/** What a device signs in `hello`: this connection's nonce and its certificate. */
export function helloMessage(nonce: Uint8Array, certificate: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatBytes(PURPOSE.hello, nonce, sha256Bytes(certificate));
}

interface UploadClaim {
  roundId: RoundId;
  updateDigest: Digest;
  sizeBytes: number;
}

const UploadClaim: Codec<UploadClaim> = struct({ roundId, updateDigest: digest, sizeBytes: u53 });

/** What a device signs for an upload (header `Tributary-Proof`). */
export function uploadMessage(id: RoundId, updateDigest: Digest, sizeBytes: number): Uint8Array<ArrayBuffer> {
  return concatBytes(PURPOSE.upload, encode(UploadClaim, { roundId: id, updateDigest, sizeBytes }));
}

/** What a device signs to enrol: the token it was given, so that the proof is of no use with another. */
export function enrolmentMessage(token: string): Uint8Array<ArrayBuffer> {
  return concatBytes(PURPOSE.enrolment, sha256Bytes(encodeUtf8(token)));
}

/** What a device signs to have its record erased: its certificate, so that the proof ends with that. */
export function erasureMessage(certificate: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatBytes(PURPOSE.erasure, sha256Bytes(certificate));
}

/** What a device signs to tell how it fares: its certificate, and all that the report says, as a JSON list. */
export function healthMessage(certificate: Uint8Array, report: HealthReport): Uint8Array<ArrayBuffer> {
  const { formatVersion, model, version, engine, session, sequence, counts } = report;
  const said = encodeUtf8(JSON.stringify([formatVersion, model, version, engine, session, sequence, counts]));
  return concatBytes(PURPOSE.health, sha256Bytes(certificate), sha256Bytes(said));
}

/** Whether one key made a signature over a message. Never throws. */
export type Verify = (message: Uint8Array, signature: Uint8Array) => Promise<boolean>;

/** Ed25519 by WebCrypto, with a key that is read once, at its first use. False for a malformed key or signature too. */
export function signatureVerifier(publicKey: Uint8Array): Verify {
  let key: Promise<CryptoKey> | undefined;
  return async (message, signature) => {
    if (publicKey.length !== 32 || signature.length !== 64) return false;
    try {
      key ??= crypto.subtle.importKey("raw", Uint8Array.from(publicKey), "Ed25519", false, ["verify"]);
      return await crypto.subtle.verify(
        "Ed25519",
        await key,
        Uint8Array.from(signature),
        Uint8Array.from(message),
      );
    } catch {
      return false;
    }
  };
}

/** {@link signatureVerifier} for a key that is used once. */
export function verifySignature(
  publicKey: Uint8Array,
  signature: Uint8Array,
  message: Uint8Array,
): Promise<boolean> {
  return signatureVerifier(publicKey)(message, signature);
}
