import { encodeBase64url, decodeBase64url, silentLogger, systemRandom } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import { deviceIdOf, issueCertificate } from "@tributary/protocol";
import { expect, test } from "vitest";
import { createIdentity } from "../src/identity.ts";
import type { TokenRequest } from "../src/runtime.ts";
import { createMemoryStore } from "../src/testing/memory-store.ts";

const LIFETIME_MS = 3_600_000;

async function setUp(token: (device: TokenRequest) => Promise<string>) {
  const clock = createVirtualClock();
  const issuer = (await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
  const closing = new AbortController();
  let asked = 0;
  const tokens: string[] = [];
  const { identity: store, needsExtractableKeys } = createMemoryStore();
  const identity = createIdentity({
    store,
    // As a browser's store has it.
    extractableKeys: needsExtractableKeys,
    population: "default",
    env: { clock, random: systemRandom, log: silentLogger },
    closing: closing.signal,
    token(device) {
      asked += 1;
      return token(device);
    },
    http: {
      async enrol(population, request) {
        tokens.push(request.token);
        const certificate = await issueCertificate(
          async (message) => new Uint8Array(await crypto.subtle.sign("Ed25519", issuer.privateKey, message)),
          {
            population: population as never,
            publicKey: decodeBase64url(request.publicKey),
            notBeforeMs: clock.now(),
            notAfterMs: clock.now() + LIFETIME_MS,
            serial: systemRandom.bytes(16),
          },
        );
        const deviceId = await deviceIdOf(decodeBase64url(request.publicKey));
        return { certificate: encodeBase64url(certificate), deviceId, expiresAt: "" };
      },
    },
  });
  await identity.load();
  return { identity, store, clock, closing, tokens, asked: () => asked };
}

test("a token that takes longer than the connection that wanted it serves the next one", async () => {
  const answer = Promise.withResolvers<string>();
  const { identity, tokens, asked } = await setUp(() => answer.promise);
  const attempt = new AbortController();
  const first = identity.certificate(attempt.signal);
  attempt.abort(new Error("the server closed the connection"));
  await expect(first).rejects.toThrow("the server closed");
  const second = identity.certificate(new AbortController().signal);
  answer.resolve("slow-token");
  await second;
  expect([asked(), tokens]).toEqual([1, ["slow-token"]]);
});

test("a token that never comes ends with a coded error, and is asked for again", async () => {
  const { identity, clock, asked } = await setUp(() => new Promise(() => {}));
  const first = identity.certificate();
  const failed = expect(first).rejects.toMatchObject({ code: "core/timeout", retryable: true });
  await new Promise((resolve) => setImmediate(resolve));
  clock.advance(60_000);
  await failed;
  identity.certificate().catch(() => undefined);
  await expect.poll(asked).toBe(2);
});

test("when the device closes, nobody waits for a token any more", async () => {
  const { identity, closing } = await setUp(() => new Promise(() => {}));
  const waiting = identity.certificate();
  closing.abort(new Error("closed"));
  await expect(waiting).rejects.toThrow("closed");
});

test("the app is told whose key it is, and asked again before the certificate expires", async () => {
  const devices: TokenRequest[] = [];
  const { identity, clock, asked } = await setUp((device) => {
    devices.push(device);
    return Promise.resolve("token");
  });
  const first = await identity.certificate();
  clock.advance(LIFETIME_MS * 0.9 - 1);
  expect(await identity.certificate()).toBe(first);
  clock.advance(1);
  expect(await identity.certificate()).not.toBe(first);
  expect(asked()).toBe(2);
  const { deviceId, publicKey, population } = devices[0]!;
  expect([deviceId, population]).toEqual([await deviceIdOf(decodeBase64url(publicKey)), "default"]);
  expect(deviceId).toBe(identity.deviceId);
});

test("while a certificate still holds, an app's backend that is away does not matter; afterwards it does", async () => {
  let away = false;
  const { identity, clock, asked } = await setUp(() =>
    away ? Promise.reject(new Error("backend away")) : Promise.resolve("token"),
  );
  const first = await identity.certificate();
  away = true;
  clock.advance(LIFETIME_MS * 0.95);
  expect(await identity.certificate()).toBe(first);
  expect(asked()).toBe(2);
  clock.advance(LIFETIME_MS * 0.05);
  await expect(identity.certificate()).rejects.toThrow("backend away");
  away = false;
  expect(await identity.certificate()).not.toBe(first);
});

test("the key of a device cannot be taken out of it, by whoever runs code in its page", async () => {
  const { identity, store } = await setUp(async () => "token");
  await identity.certificate();
  const { keys } = (await store.read())!;
  expect(keys.privateKey).toMatchObject({ extractable: false, usages: ["sign"] });
  for (const format of ["pkcs8", "jwk"] as const)
    await expect(crypto.subtle.exportKey(format, keys.privateKey)).rejects.toThrow(/extractable/i);
});
