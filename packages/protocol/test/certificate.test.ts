import { asPopulationName, encodeBase64url, encodeUtf8, TributaryError } from "@tributary/core";
import { beforeAll, describe, expect, test } from "vitest";
import {
  CERTIFICATE_TYPE,
  CLOCK_TOLERANCE_MS,
  deviceIdOf,
  issueCertificate,
  readCertificate,
  verifyCertificate,
  createMemberVerifier,
  verifyMember,
} from "../src/index.ts";
import { party, type Party } from "./party.ts";

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
    expect(fields).toEqual(await readCertificate(certificate));
    expect(certificate.length).toBeLessThan(400);
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

  test("are valid from notBefore, for clocks that are behind a little, up to, not including, notAfter", async () => {
    await verifyCertificate(certificate, issuer.publicKey, NOW - 1000 - CLOCK_TOLERANCE_MS);
    await verifyCertificate(certificate, issuer.publicKey, NOW + 999);
    await expect(verifyCertificate(certificate, issuer.publicKey, NOW + 1000)).rejects.toSatisfy(
      hasCode("identity/certificate-expired"),
    );
    await expect(
      verifyCertificate(certificate, issuer.publicKey, NOW - 1001 - CLOCK_TOLERANCE_MS),
    ).rejects.toSatisfy(hasCode("identity/not-yet-valid"));
  });
});

describe("certificates of an app's own issuer", () => {
  const part = (json: unknown): string => encodeBase64url(encodeUtf8(JSON.stringify(json)));
  const claims = () => ({
    aud: "default",
    cnf: { jwk: { kty: "OKP", crv: "Ed25519", x: encodeBase64url(device.publicKey) } },
    nbf: NOW / 1000,
    exp: NOW / 1000 + 7 * 86_400,
    jti: "4711",
  });
  const jwt = async (header: object, payload: unknown): Promise<Uint8Array<ArrayBuffer>> => {
    const signed = `${part({ alg: "EdDSA", typ: CERTIFICATE_TYPE, ...header })}.${part(payload)}`;
    return encodeUtf8(`${signed}.${encodeBase64url(await issuer.sign(encodeUtf8(signed)))}`);
  };

  test("may say more, and name the algorithm in full", async () => {
    const own = await jwt({ alg: "Ed25519", kid: "2026" }, { ...claims(), iat: NOW / 1000, sub: "user 7" });
    expect(await verifyCertificate(own, issuer.publicKey, NOW)).toMatchObject({
      serial: "4711",
      notBeforeMs: NOW,
    });
  });

  test("that are signed, but not what a certificate is, are refused", async () => {
    const { jwk } = claims().cnf;
    const others: [object, unknown][] = [
      [{ typ: "JWT" }, claims()],
      [{ typ: undefined }, claims()],
      [{ alg: "none" }, claims()],
      [{ alg: "HS256" }, claims()],
      [{ crit: ["b64"], b64: false }, claims()],
      ...["aud", "cnf", "nbf", "exp", "jti"].map((name): [object, unknown] => [
        {},
        { ...claims(), [name]: undefined },
      ]),
      [{}, { ...claims(), aud: ["default", "other"] }],
      [{}, { ...claims(), aud: "No Population" }],
      [{}, { ...claims(), cnf: { jwk: { ...jwk, crv: "X25519" } } }],
      [{}, { ...claims(), cnf: { jwk: { ...jwk, x: "AAAA" } } }],
      [{}, { ...claims(), cnf: { jwk: { ...jwk, x: `${jwk.x.slice(0, 42)}_` } } }],
      [{}, { ...claims(), jti: "x".repeat(65) }],
      [{}, { ...claims(), exp: NOW / 1000 + 0.5 }],
      // Longer than whoever left may stay.
      [{}, { ...claims(), exp: claims().exp + 1 }],
      [{}, { ...claims(), exp: claims().nbf }],
      [{}, "text"],
      [{}, null],
    ];
    await verifyCertificate(await jwt({}, claims()), issuer.publicKey, NOW);
    for (const [header, payload] of others) {
      await expect(
        verifyCertificate(await jwt(header, payload), issuer.publicKey, NOW),
        JSON.stringify([header, payload]),
      ).rejects.toSatisfy(hasCode("identity/invalid-certificate"));
    }
    for (const text of ["", "a.b", "a.b.c", "a.b.c.d", "x".repeat(1025)]) {
      await expect(verifyCertificate(encodeUtf8(text), issuer.publicKey, NOW)).rejects.toSatisfy(
        hasCode("identity/invalid-certificate"),
      );
    }
  });
});

describe("members", () => {
  const memberOptions = (nowMs: number, population = "default") => ({
    issuerPublicKey: issuer.publicKey,
    population,
    nowMs,
  });

  test.each([
    ["once", () => verifyMember],
    ["again and again", createMemberVerifier],
  ])("are who holds a certificate for their population, asked %s", async (_, open) => {
    const verifyMember = open();
    const member = await verifyMember(certificate, memberOptions(NOW));
    const message = new Uint8Array(32).fill(7);
    expect(await member.verify(message, await device.sign(message))).toBe(true);
    expect(await member.verify(new Uint8Array(32), await device.sign(message))).toBe(false);
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

  test("a verifier that remembers still asks for the issuer, the population and the time", async () => {
    const verify = createMemberVerifier();
    const other = await party();
    const first = await verify(certificate, memberOptions(NOW));
    expect(await verify(certificate, memberOptions(NOW))).toBe(first);
    await expect(
      verify(certificate, { ...memberOptions(NOW), issuerPublicKey: other.publicKey }),
    ).rejects.toSatisfy(hasCode("identity/invalid-certificate"));
    const changed = Uint8Array.from(certificate);
    changed[changed.length - 5]! ^= 1;
    await expect(verify(changed, memberOptions(NOW))).rejects.toSatisfy(
      hasCode("identity/invalid-certificate"),
    );
  });
});

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => TributaryError.is(error) && error.code === code;
}
