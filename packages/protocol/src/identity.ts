import {
  asDeviceId,
  bytes,
  concatBytes,
  decode,
  deviceId,
  digest,
  encode,
  encodeHex,
  encodeUtf8,
  failure,
  fixedBytes,
  populationName,
  roundId,
  sha256Bytes,
  struct,
  u53,
  u8,
  type Codec,
  type DeviceId,
  type Digest,
  type PopulationName,
  type RoundId,
} from "@tributary/core";
import { LIMITS } from "./limits.ts";

/** Signs with a key the caller holds, which may be a non-extractable CryptoKey. Ed25519: 64 bytes. */
export type Sign = (message: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>;

/** What the issuer says about a device's key. */
export interface Certificate {
  formatVersion: number;
  population: PopulationName;
  /** {@link deviceIdOf} the public key. */
  deviceId: DeviceId;
  /** Raw Ed25519 public key, 32 bytes. */
  publicKey: Uint8Array;
  /** Valid from and until, milliseconds since the epoch. */
  notBeforeMs: number;
  notAfterMs: number;
  /** 16 random bytes of the issuer; names this certificate in logs and revocations. */
  serial: Uint8Array;
}

const Certificate: Codec<Certificate> = struct({
  formatVersion: u8,
  population: populationName,
  deviceId,
  publicKey: fixedBytes(32),
  notBeforeMs: u53,
  notAfterMs: u53,
  serial: fixedBytes(16),
});

interface SignedCertificate {
  payload: Uint8Array;
  signature: Uint8Array;
}

const SignedCertificate: Codec<SignedCertificate> = struct({
  payload: bytes({ max: LIMITS.maxCertificateBytes - 96 }),
  signature: fixedBytes(64),
});

/** Every signature of the protocol is over a purpose, then the content: none can be used for another purpose. */
const PURPOSE = {
  certificate: encodeUtf8("tributary-certificate-v1"),
  hello: encodeUtf8("tributary-hello-v1"),
  upload: encodeUtf8("tributary-upload-v1"),
  enrolment: encodeUtf8("tributary-enrol-v1"),
} as const;

/** A device is named by its key: the first 16 bytes of the SHA-256 of the raw public key, in hex. */
export function deviceIdOf(publicKey: Uint8Array): Promise<DeviceId> {
  // Asynchronous by contract, so that the digest may move to WebCrypto without touching callers.
  return Promise.resolve(asDeviceId(encodeHex(sha256Bytes(publicKey).subarray(0, 16))));
}

/** Issues a certificate over the given fields; `deviceId` is derived from the key. At most 1024 bytes. */
export async function issueCertificate(
  sign: Sign,
  fields: Omit<Certificate, "formatVersion" | "deviceId">,
): Promise<Uint8Array<ArrayBuffer>> {
  const payload = encode(Certificate, {
    ...fields,
    formatVersion: 1,
    deviceId: await deviceIdOf(fields.publicKey),
  });
  const signature = await sign(concatBytes(PURPOSE.certificate, payload));
  return encode(SignedCertificate, { payload, signature });
}

/**
 * Reads a certificate and checks the issuer's signature, the device id and the validity.
 *
 * @param nowMs milliseconds since the epoch
 * @throws identity/invalid-certificate, identity/device-mismatch,
 *   identity/certificate-expired or identity/not-yet-valid.
 */
export async function verifyCertificate(
  certificate: Uint8Array,
  issuerPublicKey: Uint8Array,
  nowMs: number,
): Promise<Certificate> {
  if (certificate.length > LIMITS.maxCertificateBytes) {
    throw invalid(`has ${certificate.length} bytes, at most ${LIMITS.maxCertificateBytes} are allowed`);
  }
  let signed: SignedCertificate;
  let fields: Certificate;
  try {
    signed = decode(SignedCertificate, certificate);
    fields = decode(Certificate, signed.payload);
  } catch (cause) {
    throw invalid("cannot be read", cause);
  }
  const message = concatBytes(PURPOSE.certificate, signed.payload);
  if (!(await verifySignature(issuerPublicKey, signed.signature, message))) {
    throw invalid("is not signed by this coordinator's issuer");
  }
  if (fields.formatVersion !== 1) throw invalid(`has format version ${fields.formatVersion}, expected 1`);
  if (fields.deviceId !== (await deviceIdOf(fields.publicKey))) {
    throw failure(
      "identity/device-mismatch",
      `identity: the certificate names device ${fields.deviceId}, its key belongs to another; enrol again`,
    );
  }
  if (nowMs < fields.notBeforeMs) {
    throw failure(
      "identity/not-yet-valid",
      `identity: certificate of ${fields.deviceId} is valid from ${fields.notBeforeMs}, now is ${nowMs}; check the clocks`,
      { detail: { notBeforeMs: fields.notBeforeMs, nowMs } },
    );
  }
  if (nowMs >= fields.notAfterMs) {
    throw failure(
      "identity/certificate-expired",
      `identity: certificate of ${fields.deviceId} was valid until ${fields.notAfterMs}, now is ${nowMs}; enrol again`,
      { detail: { notAfterMs: fields.notAfterMs, nowMs } },
    );
  }
  return fields;
}

/** Who a member of a cohort is, by its certificate; `verify` tells its signatures from others and never throws. */
export interface MemberIdentity {
  readonly publicKey: Uint8Array;
  verify(message: Uint8Array, signature: Uint8Array): Promise<boolean>;
}

/**
 * What makes someone a member: a certificate of this issuer, for this population, that holds now.
 *
 * @throws identity/*
 */
export async function verifyMember(
  certificate: Uint8Array,
  options: { readonly issuerPublicKey: Uint8Array; readonly population: string; readonly nowMs: number },
): Promise<MemberIdentity & Certificate> {
  const nowMs = tolerant(certificate, options.nowMs);
  const fields = await verifyCertificate(certificate, options.issuerPublicKey, nowMs);
  if (fields.population !== options.population) {
    throw failure(
      "identity/wrong-population",
      `identity: ${fields.deviceId} is of population ${fields.population}, expected ${options.population}`,
    );
  }
  return {
    ...fields,
    verify: (message, signature) => verifySignature(fields.publicKey, signature, message),
  };
}

/** A device's clock may be behind that of the issuer of a certificate that another device just got. */
const CLOCK_TOLERANCE_MS = 5 * 60_000;

function tolerant(certificate: Uint8Array, nowMs: number): number {
  try {
    const { notBeforeMs } = readCertificate(certificate);
    const aheadMs = notBeforeMs - nowMs;
    return aheadMs > 0 && aheadMs <= CLOCK_TOLERANCE_MS ? notBeforeMs : nowMs;
  } catch {
    return nowMs;
  }
}

/** Reads a certificate without checking anything: a device looks up its own expiry with it. */
export function readCertificate(certificate: Uint8Array): Certificate {
  return decode(Certificate, decode(SignedCertificate, certificate).payload);
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

/** Ed25519 by WebCrypto. False for a malformed key or signature too. */
export async function verifySignature(
  publicKey: Uint8Array,
  signature: Uint8Array,
  message: Uint8Array,
): Promise<boolean> {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  try {
    const key = await crypto.subtle.importKey("raw", Uint8Array.from(publicKey), "Ed25519", false, [
      "verify",
    ]);
    return await crypto.subtle.verify("Ed25519", key, Uint8Array.from(signature), Uint8Array.from(message));
  } catch {
    return false;
  }
}

function invalid(what: string, cause?: unknown): Error {
  return failure("identity/invalid-certificate", `identity: the certificate ${what}; enrol again`, {
    cause,
  });
}
