import { systemRandom } from "@tributary/core";
import { maskCount, openSecAggCrypto, sumOfMasks, type UnmaskWork } from "@tributary/secagg";
import { afterEach, expect, test } from "vitest";
import { createUnmasker, type Unmasker } from "../../src/rounds/secure/unmasker.ts";

const unmaskers: Unmasker[] = [];
afterEach(async () => {
  await Promise.all(unmaskers.splice(0).map((unmasker) => unmasker.close()));
});

function open(): Unmasker {
  const unmasker = createUnmasker({ maxThreads: 2 });
  unmaskers.push(unmasker);
  return unmasker;
}

/** Self masks of so many survivors, and the pair masks of one dropout. */
async function workOf(survivors: number, count = 1_000): Promise<UnmaskWork> {
  const { x25519 } = await openSecAggCrypto();
  const peers = await Promise.all(
    Array.from({ length: survivors }, async (_, member) => ({
      member,
      maskKey: (await x25519.importSecret(systemRandom.bytes(32))).publicKey,
    })),
  );
  return {
    sessionId: systemRandom.bytes(32),
    segments: [{ count, width: 20 }],
    items: [
      ...peers.map(({ member }) => ({ type: "self" as const, member, seed: systemRandom.bytes(32) })),
      { type: "pairs", member: survivors, maskSecret: systemRandom.bytes(32), peers },
    ],
  };
}

const never = new AbortController().signal;

test("threads make the same masks as one call does, tell how far they are, and overwrite the secrets", async () => {
  const work = await workOf(100);
  const expected = await sumOfMasks(await openSecAggCrypto(), structuredClone(work));
  const shares: number[] = [];
  const parts = await open().unmask(work, { signal: never, onProgress: (share) => shares.push(share) });
  expect(parts).toHaveLength(2);
  expect(maskCount(work)).toBe(200);
  const sum = expected.map((_, i) => parts.reduce((total, part) => (total + part[i]!) >>> 0, 0));
  expect(sum).toEqual(expected);
  expect(shares.at(-1)).toBe(1);
  for (const item of work.items) {
    expect(new Set(item.type === "self" ? item.seed : item.maskSecret)).toEqual(new Set([0]));
  }
});

test("an abort ends the threads at work; the next cohort gets new ones; closed, it takes nothing", async () => {
  const unmasker = open();
  const abort = new AbortController();
  const reason = new Error("abandoned");
  const waiting = unmasker.unmask(await workOf(20, 100_000), { signal: abort.signal, onProgress() {} });
  abort.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  expect(await unmasker.unmask(await workOf(3), { signal: never, onProgress() {} })).toHaveLength(1);
  await unmasker.close();
  await unmasker.close();
  await expect(unmasker.unmask(await workOf(3), { signal: never, onProgress() {} })).rejects.toMatchObject({
    code: "core/closed",
  });
});
