import { expect, test } from "vitest";
import { generateTufKey, nobleEd25519, verifyTarget, webCryptoEd25519 } from "../src/index.ts";
import { deviceOf, Repository, targetOf } from "./repository.ts";

test("a page signs, refreshes and verifies with its own WebCrypto", async () => {
  const repository = await Repository.create();
  const { client } = deviceOf(repository, { ed25519: webCryptoEd25519(crypto.subtle) });
  await client.refresh();
  await repository.publish([targetOf("next")]);
  await client.refresh();
  verifyTarget(client.target("next")!, new TextEncoder().encode("next"));
});

test("a page without WebCrypto, as one that is no secure context, does it with noble", async () => {
  const repository = await Repository.create();
  const { client } = deviceOf(repository, { ed25519: await nobleEd25519(), subtle: null });
  await client.refresh();
  expect(client.timestampVersion).toBe(1);
});

test("both implementations sign alike", async () => {
  const message = new TextEncoder().encode("message");
  const seed = crypto.getRandomValues(new Uint8Array(32));
  const [a, b] = [webCryptoEd25519(crypto.subtle), await nobleEd25519()];
  const [x, y] = [await a.keyPair(seed), await b.keyPair(seed)];
  expect(x.publicKey).toEqual(y.publicKey);
  const signature = await x.sign(message);
  expect(await y.sign(message)).toEqual(signature);
  expect(await a.verify(y.publicKey, signature, message)).toBe(true);
  expect(await b.verify(x.publicKey, signature, new Uint8Array(1))).toBe(false);
  const { signer } = await generateTufKey({ ed25519: b });
  expect(await a.verify(signer.publicKey, await signer.sign(message), message)).toBe(true);
});
