import { chmod, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { asPopulationName, encodeBase64url, decodeBase64url, type TributaryError } from "@tributary/core";
import { deviceIdOf, enrolmentMessage, LIMITS, verifyCertificate } from "@tributary/protocol";
import { generateTufKey, type Ed25519Signer } from "@tributary/tuf";
import { SignJWT, UnsecuredJWT } from "jose";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { resolveConfig } from "../../src/config.ts";
import { createEnrolment, type EnrolmentRoom } from "../../src/enrolment/enrolment.ts";
import { BACKDATED_MS } from "../../src/enrolment/issuer.ts";
import { createAccessPolicy } from "../../src/http/access-policy.ts";
import { createApp, type App } from "../../src/http/app.ts";
import { readKeyFile } from "../../src/keys/key-file.ts";
import { codeOf } from "../../src/testing/index.ts";
import { guardFor } from "../operator.ts";
import { openRoom, type Room } from "../room.ts";

const DEFAULT = asPopulationName("default");
const OTHER = asPopulationName("other");

let room: Room;
let issuer: EnrolmentRoom;

beforeEach(async () => {
  room = await openRoom();
  issuer = await createEnrolment(room);
});
afterEach(() => room.dispose());

const newKey = async (): Promise<Ed25519Signer> => (await generateTufKey()).signer;

async function requestOf(token: string, key: Ed25519Signer) {
  return {
    token,
    publicKey: encodeBase64url(key.publicKey),
    proof: encodeBase64url(await key.sign(enrolmentMessage(token))),
  };
}

async function enrol(token: string, key: Ed25519Signer, population = DEFAULT) {
  return issuer.enrol(population, await requestOf(token, key));
}

describe("enrolment", () => {
  test("gives the holder of a key a certificate that the issuer's key verifies for 7 days", async () => {
    const key = await newKey();
    const answer = await enrol(await issuer.mintToken(DEFAULT), key);
    expect(answer.deviceId).toBe(await deviceIdOf(key.publicKey));
    const now = room.clock.now();
    expect(Date.parse(answer.expiresAt)).toBe(now - BACKDATED_MS + LIMITS.maxCertificateLifetimeMs);
    const bytes = decodeBase64url(answer.certificate);
    const certificate = await verifyCertificate(bytes, issuer.issuerPublicKey, now);
    expect(certificate).toMatchObject({
      population: "default",
      deviceId: answer.deviceId,
      notBeforeMs: now - BACKDATED_MS,
    });
    expect(certificate.publicKey).toEqual(new Uint8Array(key.publicKey));
    const after = now - BACKDATED_MS + LIMITS.maxCertificateLifetimeMs;
    expect(await codeOf(verifyCertificate(bytes, issuer.issuerPublicKey, after))).toBe(
      "identity/certificate-expired",
    );
    expect(await room.store.devices.get(certificate.deviceId)).toMatchObject({
      population: "default",
      state: "active",
      certificateExpiresAt: after,
    });
  });

  test("the issuer's key and the secrets outlive a restart", async () => {
    const token = await issuer.mintToken(DEFAULT);
    const before = issuer.issuerPublicKey;
    await room.restart();
    issuer = await createEnrolment(room);
    expect(issuer.issuerPublicKey).toEqual(before);
    await enrol(token, await newKey());
    expect((await readdir(room.keysFolder)).toSorted()).toEqual([
      "enrolment.default.secret",
      "issuer.key.json",
    ]);
  });

  test("a token enrols one device, which may try again; another may not", async () => {
    const token = await issuer.mintToken(DEFAULT);
    const [first, second] = [await newKey(), await newKey()];
    const answers = [await enrol(token, first), await enrol(token, first)];
    expect(answers[0]!.deviceId).toBe(answers[1]!.deviceId);
    // A lost answer is given again; nothing is issued twice.
    expect(answers[0]!.certificate).toBe(answers[1]!.certificate);
    expect(await room.store.certificateLog.size()).toBe(1);
    expect(await codeOf(enrol(token, second))).toBe("identity/token-used");
    expect(await room.store.devices.count()).toBe(1);
    await room.restart();
    issuer = await createEnrolment(room);
    expect(await codeOf(enrol(token, second))).toBe("identity/token-used");
  });

  test("a token for three devices enrols three, also when five ask at once", async () => {
    const token = await issuer.mintToken(DEFAULT, { maxUses: 3, subject: "fleet 7" });
    const keys = await Promise.all([1, 2, 3, 4, 5].map(newKey));
    const codes = await Promise.all(keys.map((key) => codeOf(enrol(token, key))));
    expect(codes.filter((code) => code === undefined)).toHaveLength(3);
    expect(codes.filter((code) => code === "identity/token-used")).toHaveLength(2);
    expect(await room.store.devices.count()).toBe(3);
  });

  test("a device renews with a new token and keeps its id", async () => {
    const key = await newKey();
    const first = await enrol(await issuer.mintToken(DEFAULT), key);
    room.clock.setNow(room.clock.now() + LIMITS.maxCertificateLifetimeMs + 1);
    const second = await enrol(await issuer.mintToken(DEFAULT), key);
    expect(second.deviceId).toBe(first.deviceId);
    await verifyCertificate(decodeBase64url(second.certificate), issuer.issuerPublicKey, room.clock.now());
  });

  test("a revoked device is refused, and its token not spent", async () => {
    const key = await newKey();
    const { deviceId } = await enrol(await issuer.mintToken(DEFAULT), key);
    await room.store.devices.setState(deviceId, "revoked");
    const token = await issuer.mintToken(DEFAULT);
    expect(await codeOf(enrol(token, key))).toBe("identity/revoked");
    await enrol(token, await newKey());
  });

  test("a proof by another key, over another token or of garbage is refused, and the token not spent", async () => {
    const token = await issuer.mintToken(DEFAULT);
    const [key, thief] = [await newKey(), await newKey()];
    const good = await requestOf(token, key);
    const others = [
      { ...good, proof: (await requestOf(token, thief)).proof },
      { ...good, proof: (await requestOf(await issuer.mintToken(DEFAULT), key)).proof },
      { ...good, publicKey: encodeBase64url(thief.publicKey) },
      { ...good, proof: encodeBase64url(new Uint8Array(64)) },
      { ...good, publicKey: encodeBase64url(new Uint8Array(32)) },
    ];
    for (const request of others) {
      expect(await codeOf(issuer.enrol(DEFAULT, request))).toBe("identity/invalid-proof");
    }
    await issuer.enrol(DEFAULT, good);
  });
});

describe("tokens", () => {
  const secretOf = async () => (await readKeyFile(join(room.keysFolder, "enrolment.default.secret")))!;

  test("expire", async () => {
    const token = await issuer.mintToken(DEFAULT, { ttlMs: 60_000 });
    room.clock.setNow(room.clock.now() + 60_000);
    const error = await enrol(token, await newKey()).catch((reason: unknown) => reason as TributaryError);
    expect(error).toMatchObject({ code: "identity/token-expired", retryable: true });
  });

  test("are for one population", async () => {
    const key = await newKey();
    const token = await issuer.mintToken(DEFAULT);
    expect(await codeOf(enrol(token, key, OTHER))).toBe("identity/wrong-population");
    await issuer.mintToken(OTHER);
    expect(await codeOf(enrol(token, key, OTHER))).toBe("identity/wrong-population");
    // Asking for a population makes no files.
    expect(await codeOf(enrol("nonsense", key, asPopulationName("third")))).toBe("identity/invalid-token");
    expect(await readdir(room.keysFolder)).not.toContain("enrolment.third.secret");
  });

  test("of an app's own backend that holds the secret are as good", async () => {
    await issuer.mintToken(DEFAULT);
    const seconds = Math.floor(room.clock.now() / 1_000);
    const token = await new SignJWT({ uses: 2 })
      .setProtectedHeader({ alg: "HS256", typ: "tributary-enrolment+jwt" })
      .setAudience("default")
      .setIssuedAt(seconds)
      .setExpirationTime(seconds + 60)
      .setJti("own-1")
      .sign(await secretOf());
    await enrol(token, await newKey());
    await enrol(token, await newKey());
    expect(await codeOf(enrol(token, await newKey()))).toBe("identity/token-used");
  });

  test("that are forged, unsigned, of another type or without a needed claim are refused", async () => {
    const genuine = await issuer.mintToken(DEFAULT);
    const secret = await secretOf();
    const seconds = Math.floor(room.clock.now() / 1_000);
    const jwt = (header: object, claims: object) =>
      new SignJWT({
        aud: "default",
        iat: seconds,
        exp: seconds + 60,
        jti: "x",
        ...claims,
      }).setProtectedHeader({
        alg: "HS256",
        typ: "tributary-enrolment+jwt",
        ...header,
      });
    const [head, body, signature] = genuine.split(".");
    const tokens = [
      "",
      "a.b.c",
      `${head}.${body}.`,
      `${head}.${encodeBase64url(new TextEncoder().encode('{"aud":"default"}'))}.${signature}`,
      new UnsecuredJWT({ aud: "default", jti: "x" })
        .setIssuedAt(seconds)
        .setExpirationTime(seconds + 60)
        .encode(),
      await jwt({}, {}).sign(new Uint8Array(32)),
      await jwt({ typ: "JWT" }, {}).sign(secret),
      await jwt({ typ: undefined }, {}).sign(secret),
      await jwt({ alg: "HS512" }, {}).sign(new Uint8Array([...secret, ...secret])),
      await jwt({}, { exp: undefined }).sign(secret),
      await jwt({}, { jti: undefined }).sign(secret),
      await jwt({}, { jti: "" }).sign(secret),
      await jwt({}, { jti: "x".repeat(65) }).sign(secret),
      await jwt({}, { aud: ["default", "other"] }).sign(secret),
      await jwt({}, { uses: 0 }).sign(secret),
      await jwt({}, { uses: "many" }).sign(secret),
      await jwt({}, { sub: "x".repeat(5_000) }).sign(secret),
    ];
    const key = await newKey();
    for (const [index, token] of tokens.entries()) {
      expect([index, await codeOf(enrol(token, key))]).toEqual([index, "identity/invalid-token"]);
    }
    await enrol(genuine, key);
  });

  test("with impossible options are a mistake of the caller", async () => {
    for (const options of [
      { ttlMs: 0 },
      { ttlMs: Number.NaN },
      { maxUses: 0 },
      { maxUses: 1.5 },
      { subject: "" },
    ]) {
      await expect(issuer.mintToken(DEFAULT, options)).rejects.toThrow(RangeError);
    }
  });

  test("their uses are forgotten a day after they expired", async () => {
    const token = await issuer.mintToken(DEFAULT);
    await enrol(token, await newKey());
    room.clock.setNow(room.clock.now() + 26 * 3_600_000);
    await issuer.mintToken(DEFAULT);
    expect(await codeOf(enrol(token, await newKey()))).toBe("identity/token-expired");
  });

  test("a lost secret makes old tokens invalid, and the next mint makes a new one", async () => {
    const token = await issuer.mintToken(DEFAULT);
    await rm(join(room.keysFolder, "enrolment.default.secret"));
    issuer = await createEnrolment(room);
    expect(await codeOf(enrol(token, await newKey()))).toBe("identity/invalid-token");
    await enrol(await issuer.mintToken(DEFAULT), await newKey());
    expect(await codeOf(enrol(token, await newKey()))).toBe("identity/invalid-token");
  });
});

describe("POST /v1/populations/:population/enrolments", () => {
  /** In an object: a Fastify instance is itself awaitable. */
  async function open() {
    const config = resolveConfig({ dataDir: room.config.dataDir, logLevel: "silent" });
    const { app: created } = await createApp({
      config,
      access: createAccessPolicy(config),
      guard: guardFor(),
      version: "0.0.0",
    });
    issuer.register(created);
    await created.ready();
    return { server: created };
  }
  const post = async (server: App, body: object, population = "default") =>
    server.inject({
      method: "POST",
      url: `/v1/populations/${population}/enrolments`,
      headers: { host: "localhost" },
      payload: body,
    });

  test("enrols, and says what is wrong otherwise", async () => {
    const { server } = await open();
    const token = await issuer.mintToken(DEFAULT);
    const key = await newKey();
    const good = await post(server, await requestOf(token, key));
    expect(good.statusCode).toBe(200);
    expect(good.headers["cache-control"]).toBe("no-store");
    expect(good.json()).toMatchObject({ deviceId: await deviceIdOf(key.publicKey) });
    const cases = [
      [await post(server, await requestOf(token, await newKey())), 409, "identity/token-used"],
      [await post(server, await requestOf("nonsense", key)), 401, "identity/invalid-token"],
      [await post(server, await requestOf(token, key), "other"), 403, "identity/wrong-population"],
      [await post(server, { token }), 400, "http/bad-request"],
      [await post(server, await requestOf(token, key), "Bad_Name"), 400, "http/bad-request"],
      [await post(server, await requestOf("x".repeat(9_000), key)), 413, "http/payload-too-large"],
    ] as const;
    for (const [answer, status, code] of cases) {
      expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([status, code]);
      expect(answer.body).not.toContain(token);
    }
    await server.close();
  });

  test("says nothing of what is wrong in the coordinator's own folder", async () => {
    await issuer.mintToken(OTHER);
    await chmod(join(room.keysFolder, "enrolment.other.secret"), 0o644);
    issuer = await createEnrolment(room);
    const { server } = await open();
    const answer = await post(server, await requestOf("a.b.c", await newKey()), "other");
    expect(answer.statusCode).toBe(500);
    expect(answer.json()).toMatchObject({ code: "coordinator/key-insecure", data: {} });
    expect(answer.body).not.toContain(room.keysFolder);
    await server.close();
  });
});
