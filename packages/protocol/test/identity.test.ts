import { asDigest, asPopulationName, asRoundId, TributaryError } from "@tributary/core";
import { beforeAll, describe, expect, test } from "vitest";
import {
  deviceIdOf,
  helloMessage,
  issueCertificate,
  readCertificate,
  uploadMessage,
  verifyCertificate,
  verifyMember,
  verifySignature,
} from "../src/index.ts";

interface Party {
  publicKey: Uint8Array;
  readonly sign: (message: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>;
}

async function party(): Promise<Party> {
  const keys = (await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
  return {
    publicKey: new Uint8Array(await crypto.subtle.exportKey("raw", keys.publicKey)),
    sign: async (message) => new Uint8Array(await crypto.subtle.sign("Ed25519", keys.privateKey, message)),
  };
}

const NOW = 1_800_000_000_000;
let issuer: Party;
let device: Party;
let certificate: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  issuer = await party();
  device = await party();
  certificate = await issueCertificate(issuer.sign, {
    population: asPopulationName("default"),
    publicKey: device.publicKey,
    notBeforeMs: NOW - 1000,
    notAfterMs: NOW + 1000,
    serial: new Uint8Array(16).fill(7),
  });
});

describe("certificates", () => {
  test("say whose key it is", async () => {
    const fields = await verifyCertificate(certificate, issuer.publicKey, NOW);
    expect(fields.deviceId).toBe(await deviceIdOf(device.publicKey));
    expect(fields.population).toBe("default");
    expect(fields).toEqual(readCertificate(certificate));
    expect(certificate.length).toBeLessThan(256);
  });

  test("of another issuer are refused", async () => {
    const other = await party();
    await expect(verifyCertificate(certificate, other.publicKey, NOW)).rejects.toSatisfy(
      hasCode("identity/invalid-certificate"),
    );
  });

  test("with any one byte changed are refused", async () => {
    for (let i = 0; i < certificate.length; i++) {
      const changed = Uint8Array.from(certificate);
      changed[i]! ^= 1;
      await expect(verifyCertificate(changed, issuer.publicKey, NOW)).rejects.toSatisfy(
        hasCode("identity/invalid-certificate"),
      );
    }
  });

  test("are valid from notBefore up to, not including, notAfter", async () => {
    await verifyCertificate(certificate, issuer.publicKey, NOW - 1000);
    await verifyCertificate(certificate, issuer.publicKey, NOW + 999);
    await expect(verifyCertificate(certificate, issuer.publicKey, NOW + 1000)).rejects.toSatisfy(
      hasCode("identity/certificate-expired"),
    );
    await expect(verifyCertificate(certificate, issuer.publicKey, NOW - 1001)).rejects.toSatisfy(
      hasCode("identity/not-yet-valid"),
    );
  });
});

describe("members", () => {
  const memberOptions = (nowMs: number, population = "default") => ({
    issuerPublicKey: issuer.publicKey,
    population,
    nowMs,
  });

  test("are who holds a certificate for their population; a clock may be behind the issuer's a little", async () => {
    const member = await verifyMember(certificate, memberOptions(NOW));
    const message = new Uint8Array(32).fill(7);
    expect(await member.verify(message, await device.sign(message))).toBe(true);
    expect(await member.verify(new Uint8Array(32), await device.sign(message))).toBe(false);
    await verifyMember(certificate, memberOptions(NOW - 1000 - 5 * 60_000));
    await expect(verifyMember(certificate, memberOptions(NOW - 1001 - 5 * 60_000))).rejects.toSatisfy(
      hasCode("identity/not-yet-valid"),
    );
    await expect(verifyMember(certificate, memberOptions(NOW + 1000))).rejects.toSatisfy(
      hasCode("identity/certificate-expired"),
    );
    await expect(verifyMember(certificate, memberOptions(NOW, "other"))).rejects.toSatisfy(
      hasCode("identity/wrong-population"),
    );
    await expect(verifyMember(new Uint8Array(5), memberOptions(NOW))).rejects.toSatisfy(
      hasCode("identity/invalid-certificate"),
    );
  });
});

describe("proofs", () => {
  test("bind a hello to its nonce and certificate", async () => {
    const nonce = new Uint8Array(32).fill(1);
    const signature = await device.sign(helloMessage(nonce, certificate));
    expect(await verifySignature(device.publicKey, signature, helloMessage(nonce, certificate))).toBe(true);
    const otherNonce = new Uint8Array(32).fill(2);
    expect(await verifySignature(device.publicKey, signature, helloMessage(otherNonce, certificate))).toBe(
      false,
    );
  });

  test("bind an upload to its round, digest and size", async () => {
    const digest = asDigest("ab".repeat(32));
    const message = uploadMessage(asRoundId("r-1"), digest, 10);
    const signature = await device.sign(message);
    expect(await verifySignature(device.publicKey, signature, message)).toBe(true);
    for (const other of [
      uploadMessage(asRoundId("r-2"), digest, 10),
      uploadMessage(asRoundId("r-1"), asDigest("ac".repeat(32)), 10),
      uploadMessage(asRoundId("r-1"), digest, 11),
    ]) {
      expect(await verifySignature(device.publicKey, signature, other)).toBe(false);
    }
  });

  test("with a malformed key or signature are false, not an exception", async () => {
    expect(await verifySignature(new Uint8Array(31), new Uint8Array(64), new Uint8Array())).toBe(false);
    expect(await verifySignature(device.publicKey, new Uint8Array(63), new Uint8Array())).toBe(false);
    expect(await verifySignature(new Uint8Array(32).fill(255), new Uint8Array(64), new Uint8Array())).toBe(
      false,
    );
  });
});

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => TributaryError.is(error) && error.code === code;
}
