import { readdir } from "node:fs/promises";
import {
  asPopulationName,
  decodeBase64url,
  decodeUtf8,
  encodeBase64url,
  type PopulationName,
} from "@tributary/core";
import { deviceIdOf, enrolmentMessage, LIMITS } from "@tributary/protocol";
import { generateTufKey, type Ed25519Signer } from "@tributary/tuf";
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from "jose";
import { afterEach, beforeEach, expect, test } from "vitest";
import { resolveConfig } from "../../src/config.ts";
import { createEnrolment, type EnrolmentRoom } from "../../src/enrolment/enrolment.ts";
import { codeOf } from "../../src/testing/index.ts";
import { openRoom, type Room } from "../room.ts";

// What an app's backend does with `jose`, and a coordinator that has nothing but its public key.

const DEFAULT = asPopulationName("default");

let room: Room;
let issuerKey: CryptoKey;
let enrolment: EnrolmentRoom;
let device: Ed25519Signer;

beforeEach(async () => {
  room = await openRoom();
  const pair = await generateKeyPair("EdDSA", { crv: "Ed25519" });
  issuerKey = pair.privateKey;
  enrolment = await openWith((await exportJWK(pair.publicKey)).x!);
  device = (await generateTufKey()).signer;
});
afterEach(() => room.dispose());

async function openWith(publicKey: string): Promise<EnrolmentRoom> {
  const { issuer } = resolveConfig({ dataDir: room.config.dataDir, issuer: { publicKey } });
  return createEnrolment({ ...room, store: room.store, config: { ...room.config, issuer } });
}

interface Claims {
  readonly population?: string;
  readonly lifetimeSeconds?: number;
  readonly startsInSeconds?: number;
  readonly key?: CryptoKey;
}

async function certify(claims: Claims = {}): Promise<string> {
  const { population = "default", lifetimeSeconds = 3600, startsInSeconds = 0, key = issuerKey } = claims;
  const begins = Math.floor(room.clock.now() / 1000) + startsInSeconds;
  const x = encodeBase64url(device.publicKey);
  return new SignJWT({ cnf: { jwk: { kty: "OKP", crv: "Ed25519", x } } })
    .setProtectedHeader({ alg: "EdDSA", typ: "tributary-certificate+jwt" })
    .setAudience(population)
    .setNotBefore(begins)
    .setExpirationTime(begins + lifetimeSeconds)
    .setJti(crypto.randomUUID())
    .sign(key);
}

async function enrol(token: string, key = device, population: PopulationName = DEFAULT) {
  return enrolment.enrol(population, {
    token,
    publicKey: encodeBase64url(key.publicKey),
    proof: encodeBase64url(await key.sign(enrolmentMessage(token))),
  });
}

test("a device is admitted with the certificate that the app's backend issued, which is then in the log", async () => {
  const certificate = await certify();
  const answer = await enrol(certificate);
  expect(decodeUtf8(decodeBase64url(answer.certificate))).toBe(certificate);
  expect(answer.deviceId).toBe(await deviceIdOf(device.publicKey));
  // Shown again it is still one entry; a renewal is another.
  await enrol(certificate);
  expect(await room.store.certificateLog.size()).toBe(1);
  await enrol(await certify());
  expect(await room.store.certificateLog.size()).toBe(2);
  expect(await room.store.devices.count()).toBe(1);
});

test("the coordinator issues nothing, mints nothing, and makes no issuer's key", async () => {
  expect(await codeOf(enrolment.mintToken(DEFAULT))).toBe("identity/issued-elsewhere");
  const own = await createEnrolment(room);
  const token = await own.mintToken(DEFAULT);
  expect(await codeOf(enrol(token))).toBe("identity/issued-elsewhere");
  const fresh = await openRoom();
  const { issuer } = resolveConfig({ dataDir: fresh.config.dataDir, issuer: { publicKey: "ab".repeat(32) } });
  await createEnrolment({ ...fresh, store: fresh.store, config: { ...fresh.config, issuer } });
  expect(await readdir(fresh.keysFolder).catch(() => [])).toEqual([]);
  await fresh.dispose();
});

test("other issuers, populations, keys and times are refused", async () => {
  const other = (await generateKeyPair("EdDSA", { crv: "Ed25519" })).privateKey;
  const stranger = (await generateTufKey()).signer;
  const sevenDays = LIMITS.maxCertificateLifetimeMs / 1000;
  await enrol(await certify({ lifetimeSeconds: sevenDays }));
  const expired = await certify();
  const cases: [string, string, Ed25519Signer?][] = [
    ["nonsense", "identity/invalid-certificate"],
    [await certify({ key: other }), "identity/invalid-certificate"],
    [await certify({ lifetimeSeconds: sevenDays + 1 }), "identity/invalid-certificate"],
    [await certify({ population: "other" }), "identity/wrong-population"],
    [await certify({ startsInSeconds: 301 }), "identity/not-yet-valid"],
    [await certify(), "identity/device-mismatch", stranger],
  ];
  for (const [token, code, key] of cases) expect(await codeOf(enrol(token, key))).toBe(code);
  room.clock.setNow(room.clock.now() + 3_600_000);
  expect(await codeOf(enrol(expired))).toBe("identity/certificate-expired");
  const { deviceId } = await enrol(await certify());
  await room.store.devices.setState(deviceId, "revoked");
  expect(await codeOf(enrol(await certify()))).toBe("identity/revoked");
});

test("a key that is none is a mistake in the configuration", () => {
  for (const publicKey of ["", "ab", "AB".repeat(32), "A".repeat(44)]) {
    expect(() => resolveConfig({ dataDir: "x", issuer: { publicKey } })).toThrow(/issuer.publicKey/);
  }
  expect(() => resolveConfig({ dataDir: "x", issuer: { publicKey: "ab".repeat(32), name: "" } })).toThrow(
    /issuer.name/,
  );
});
