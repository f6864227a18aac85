import { encodeBase64url, decodeBase64url, silentLogger, systemRandom } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import { deviceIdOf, issueCertificate } from "@tributary/protocol";
import { expect, test } from "vitest";
import { createIdentity } from "../src/identity.ts";
import { createMemoryStore } from "../src/testing/memory-store.ts";

async function setUp(token: () => Promise<string>) {
  const clock = createVirtualClock();
  const issuer = (await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
  const closing = new AbortController();
  let asked = 0;
  const tokens: string[] = [];
  const identity = createIdentity({
    store: createMemoryStore().identity,
    extractableKeys: false,
    population: "default",
    env: { clock, random: systemRandom, log: silentLogger },
    closing: closing.signal,
    token() {
      asked += 1;
      return token();
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
            notAfterMs: clock.now() + 3_600_000,
            serial: systemRandom.bytes(16),
          },
        );
        const deviceId = await deviceIdOf(decodeBase64url(request.publicKey));
        return { certificate: encodeBase64url(certificate), deviceId, expiresAt: "" };
      },
    },
  });
  await identity.load();
  return { identity, clock, closing, tokens, asked: () => asked };
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
