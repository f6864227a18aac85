import { asPopulationName, createLogger, encodeBase64url, encodeUtf8, type LogEntry } from "@tributary/core";
import { enrolmentMessage } from "@tributary/protocol";
import { generateTufKey, type Ed25519Signer } from "@tributary/tuf";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { resolveConfig } from "../../src/config.ts";
import { hasDuplicateClaims } from "../../src/enrolment/duplicate-claims.ts";
import { createEnrolment, type EnrolmentRoom } from "../../src/enrolment/enrolment.ts";
import { codeOf } from "../../src/testing/index.ts";
import { openRoom, type Room } from "../room.ts";

// What RFC 8725 warns of, against both issuers: each is refused by its code, and logged without the token.

const DEFAULT = asPopulationName("default");
const HOUR = 3_600;

let room: Room;
let device: Ed25519Signer;
let lines: LogEntry[];

beforeEach(async () => {
  room = await openRoom();
  device = (await generateTufKey()).signer;
  lines = [];
});
afterEach(() => room.dispose());

async function openWith(issuer?: { publicKey: string }): Promise<EnrolmentRoom> {
  const config = resolveConfig({ dataDir: room.config.dataDir, ...(issuer && { issuer }) });
  const log = createLogger({ level: "debug", clock: room.clock, write: (line) => lines.push(line) });
  return createEnrolment({ ...room, store: room.store, env: { ...room.env, log }, config });
}

/** What becomes of a token; what the log says of it must not help anybody to use it. */
async function enrol(enrolment: EnrolmentRoom, token: string): Promise<string | undefined> {
  const code = await codeOf(
    enrolment.enrol(DEFAULT, {
      token,
      publicKey: encodeBase64url(device.publicKey),
      proof: encodeBase64url(await device.sign(enrolmentMessage(token))),
    }),
  );
  const said = JSON.stringify(lines);
  if (code !== undefined) expect(said).toContain(code);
  if (token !== "")
    for (const part of token.split(".").slice(1)) if (part !== "") expect(said).not.toContain(part);
  return code;
}

const now = () => Math.floor(room.clock.now() / 1_000);
const part = (value: object | string) =>
  encodeBase64url(encodeUtf8(typeof value === "string" ? value : JSON.stringify(value)));

/** A JWT of exactly these texts, signed with a secret by HMAC. */
function hs256(header: object | string, claims: object | string, secret: Uint8Array): string {
  const signed = `${part(header)}.${part(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

describe("enrolment tokens", () => {
  const HEADER = { alg: "HS256", typ: "tributary-enrolment+jwt" };
  const claims = (changes: object = {}) => ({
    aud: "default",
    iat: now(),
    exp: now() + HOUR,
    jti: "one",
    ...changes,
  });

  let enrolment: EnrolmentRoom;
  let secret: Uint8Array;
  beforeEach(async () => {
    enrolment = await openWith();
    for (const population of ["default", "other"]) await enrolment.mintToken(asPopulationName(population));
    secret = await readFile(join(room.keysFolder, "enrolment.default.secret"));
  });

  test("without a signature, by another algorithm or another key are refused", async () => {
    const other = await readFile(join(room.keysFolder, "enrolment.other.secret"));
    const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519" });
    const unsigned = `${part({ ...HEADER, alg: "none" })}.${part(claims())}.`;
    const tokens = {
      "alg none": unsigned,
      "alg None": `${part({ ...HEADER, alg: "None" })}.${part(claims())}.`,
      "alg none with a signature": hs256({ ...HEADER, alg: "none" }, claims(), secret),
      "no alg": hs256({ typ: HEADER.typ }, claims(), secret),
      "the issuer's public key as the secret": hs256(HEADER, claims(), enrolment.issuerPublicKey),
      "an asymmetric algorithm": await new SignJWT(claims())
        .setProtectedHeader({ ...HEADER, alg: "EdDSA" })
        .sign(privateKey),
      "a key that it brings along": hs256(
        { ...HEADER, jwk: { kty: "oct", k: encodeBase64url(other) } },
        claims(),
        other,
      ),
      "another population's secret": hs256(HEADER, claims(), other),
      "an empty secret": hs256(HEADER, claims(), new Uint8Array(0)),
      "extensions that have to be understood": hs256(
        { ...HEADER, crit: ["b64"], b64: false },
        claims(),
        secret,
      ),
    };
    for (const [what, token] of Object.entries(tokens))
      expect([what, await enrol(enrolment, token)]).toEqual([what, "identity/invalid-token"]);
  });

  test("of another time, for another audience, too large or of two minds are refused", async () => {
    const twice = `{"aud":"default","iat":${now()},"exp":${now() + HOUR},"jti":"one","jti":"two"}`;
    const cases: readonly (readonly [string, object | string, string])[] = [
      ["expired", claims({ iat: now() - 2 * HOUR, exp: now() - HOUR }), "identity/token-expired"],
      ["not yet valid", claims({ nbf: now() + HOUR }), "identity/invalid-token"],
      ["made in the future", claims({ iat: now() + HOUR, exp: now() + 2 * HOUR }), "identity/invalid-token"],
      ["good for ten years", claims({ exp: now() + 10 * 366 * 86_400 }), "identity/invalid-token"],
      ["an expiry that is no number", claims({ exp: "never" }), "identity/invalid-token"],
      ["for another population", claims({ aud: "other" }), "identity/wrong-population"],
      ["for nobody", claims({ aud: undefined }), "identity/invalid-token"],
      ["for several populations", claims({ aud: ["default", "other"] }), "identity/invalid-token"],
      ["tags that are none", claims({ tags: ["a b"] }), "identity/invalid-token"],
      ["too many tags", claims({ tags: "abcdefghi".split("") }), "identity/invalid-token"],
      ["a claim twice", twice, "identity/invalid-token"],
      ["oversized", claims({ sub: "x".repeat(5_000) }), "identity/invalid-token"],
    ];
    for (const [what, body, code] of cases)
      expect([what, await enrol(enrolment, hs256(HEADER, body, secret))]).toEqual([what, code]);
    expect(
      await enrol(
        enrolment,
        hs256('{"alg":"HS256","alg":"HS256","typ":"tributary-enrolment+jwt"}', claims(), secret),
      ),
    ).toBe("identity/invalid-token");
    // As it should be.
    expect(await enrol(enrolment, hs256(HEADER, claims({ tags: ["pilot"] }), secret))).toBeUndefined();
  });
});

test("certificates of the app's issuer: none is taken that another algorithm or key made, or that says something twice", async () => {
  const { privateKey, publicKey } = await generateKeyPair("EdDSA", { crv: "Ed25519" });
  const { x } = await exportJWK(publicKey);
  const enrolment = await openWith({ publicKey: x! });
  const header = { alg: "EdDSA", typ: "tributary-certificate+jwt" };
  const body = {
    aud: "default",
    nbf: now(),
    exp: now() + HOUR,
    jti: "one",
    cnf: { jwk: { kty: "OKP", crv: "Ed25519", x: encodeBase64url(device.publicKey) } },
  };
  const signed = async (claims: object, head: object = header, key = privateKey) =>
    new SignJWT({ ...claims }).setProtectedHeader(head as { alg: string }).sign(key);
  const good = await signed(body);
  const [head, , signature] = good.split(".");
  const stranger = (await generateKeyPair("EdDSA", { crv: "Ed25519" })).privateKey;
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ["alg none", `${part({ ...header, alg: "none" })}.${part(body)}.`, /invalid-certificate/],
    [
      "HS256 with the issuer's public key",
      hs256({ ...header, alg: "HS256" }, body, enrolment.issuerPublicKey),
      /invalid-certificate/,
    ],
    ["another issuer", await signed(body, header, stranger), /invalid-certificate/],
    [
      "another body under the signature",
      `${head}.${part({ ...body, jti: "two" })}.${signature}`,
      /invalid-certificate/,
    ],
    ["expired", await signed({ ...body, nbf: now() - 2 * HOUR, exp: now() - HOUR }), /certificate-expired/],
    ["not yet valid", await signed({ ...body, nbf: now() + HOUR, exp: now() + 2 * HOUR }), /not-yet-valid/],
    ["another audience", await signed({ ...body, aud: "other" }), /wrong-population/],
    [
      "a claim twice",
      `${head}.${part(`{"jti":"x",${JSON.stringify(body).slice(1)}`)}.${signature}`,
      /invalid-certificate/,
    ],
    ["oversized", await signed({ ...body, more: "x".repeat(2_000) }), /invalid-certificate/],
  ];
  for (const [what, token, code] of cases)
    expect([what, await enrol(enrolment, token)]).toEqual([what, expect.stringMatching(code)]);
  expect(await enrol(enrolment, good)).toBeUndefined();
});

test("what stands twice is found at any depth, and nothing else is", () => {
  const has = (text: string) => hasDuplicateClaims(`${part("{}")}.${part(text)}.x`);
  expect(has('{"a":1,"a":2}')).toBe(true);
  expect(has('{"a":{"b":[1,{"c":1,"c":1}]}}')).toBe(true);
  // The same name, written otherwise.
  expect(has('{"a":1,"\\u0061":2}')).toBe(true);
  expect(has('{"a":{"a":1},"b":{"a":"a"},"c":["a","a"],"d":"\\"a\\":1,\\"a\\":2"}')).toBe(false);
  expect(has('{"a":1,"a"')).toBe(false);
  expect(hasDuplicateClaims("nonsense")).toBe(false);
});
