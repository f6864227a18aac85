import { createPrivateKey, createPublicKey, sign as signNode, type KeyObject } from "node:crypto";
import {
  concatBytes,
  decodeHex,
  encodeUtf8,
  sha256Bytes,
  type DeviceId,
  type PopulationName,
} from "@tributary/core";
import { deviceIdOf, issueCertificate, LIMITS } from "@tributary/protocol";

/** A member of secure cohorts: its key, and the certificate that the simulated issuer gave it for it. */
export interface SimulatedIdentity {
  readonly device: DeviceId;
  readonly certificate: Uint8Array<ArrayBuffer>;
  sign(message: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
}

/** Real Ed25519 keys and certificates, all from the seed: a simulation needs no key store, and is repeatable. */
export interface Identities {
  readonly issuerPublicKey: Uint8Array<ArrayBuffer>;
  of(client: number, population: PopulationName, nowMs: number): Promise<SimulatedIdentity>;
}

export function createIdentities(seed: string): Identities {
  const issuer = keyOf(seed, "issuer");
  return {
    issuerPublicKey: issuer.publicKey,
    async of(client, population, nowMs) {
      const { publicKey, sign } = keyOf(seed, `client ${client}`);
      const certificate = await issueCertificate(issuer.sign, {
        population,
        publicKey,
        notBeforeMs: nowMs,
        notAfterMs: nowMs + LIMITS.maxCertificateLifetimeMs,
        serial: bytesOf(seed, `serial ${client}`).subarray(0, 16),
      });
      return { device: await deviceIdOf(publicKey), certificate, sign };
    },
  };
}

/** PKCS #8 of an Ed25519 key (RFC 8410, 7) up to its 32 bytes. */
const PKCS8_PREFIX = decodeHex("302e020100300506032b657004220420");
/** SubjectPublicKeyInfo (RFC 8410, 4) up to its 32 bytes. */
const SPKI_PREFIX_BYTES = 12;

function keyOf(seed: string, name: string) {
  const der = concatBytes(PKCS8_PREFIX, bytesOf(seed, `key of ${name}`));
  const key = createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" });
  return {
    publicKey: rawPublicKey(key),
    sign: async (message: Uint8Array): Promise<Uint8Array<ArrayBuffer>> =>
      new Uint8Array(signNode(null, message, key)),
  };
}

function rawPublicKey(key: KeyObject): Uint8Array<ArrayBuffer> {
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  return new Uint8Array(spki.subarray(SPKI_PREFIX_BYTES));
}

function bytesOf(seed: string, what: string): Uint8Array<ArrayBuffer> {
  return sha256Bytes(encodeUtf8(`tributary-simulated-identity-v1:${seed}:${what}`));
}
