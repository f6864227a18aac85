import { systemRandom } from "@tributary/core";
import { describe, expect, test } from "vitest";
import {
  addMasks,
  maskLayout,
  packVector,
  pairMaskKey,
  pairSign,
  reduceToRing,
  sumOfMasks,
  type Mask,
} from "../src/index.ts";
import { crypto, smallPlan, TestCohort } from "./support/cohort.ts";

const { masks } = crypto;
const WIDTH = 20;
const SEGMENTS = [{ count: 40_000, width: WIDTH }];
const LAYOUT = maskLayout(SEGMENTS);

async function ourMask(raw: Uint8Array<ArrayBuffer>): Promise<Uint32Array> {
  const key = await pairMaskKey(masks, raw, new Uint8Array(32), [0, 1]);
  const vector = new Uint32Array(SEGMENTS[0]!.count);
  await addMasks(vector, [{ key, sign: 1 }], LAYOUT);
  reduceToRing(vector, SEGMENTS);
  return vector;
}

/** A generator with a small seed, as the broken designs use it. */
function weakStream(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 12;
  };
}

/** Pearson's statistic against equal counts. */
function chiSquared(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

/** Mean plus six standard deviations of the statistic under uniformity. */
const limit = (cells: number): number => cells - 1 + 6 * Math.sqrt(2 * (cells - 1));

function histogram(values: Iterable<number>, cells: number, cellOf: (value: number) => number): number[] {
  const counts = Array.from({ length: cells }, () => 0);
  for (const value of values) counts[cellOf(value)]! += 1;
  return counts;
}

const uniformity = (values: Iterable<number>): { readonly high: number; readonly low: number } => {
  const all = [...values];
  return {
    high: chiSquared(histogram(all, 256, (value) => value >>> (WIDTH - 8))),
    low: chiSquared(histogram(all, 256, (value) => value & 255)),
  };
};

function correlation(a: Uint32Array, b: Uint32Array): number {
  const mean = (x: Uint32Array): number => x.reduce((sum, value) => sum + value, 0) / x.length;
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += (a[i]! - ma) * (b[i]! - mb);
    aa += (a[i]! - ma) ** 2;
    bb += (b[i]! - mb) ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}

describe("masks from a small seed (Flower: a key folded to 32 bits)", () => {
  const fold = (key: Uint8Array): number => ((key[0]! ^ key[2]!) << 8) | (key[1]! ^ key[3]!);

  test("break: two keys give one mask, and all seeds are tried until a known value fits", () => {
    const key = Uint8Array.of(17, 201, 4, 90);
    const victim = weakStream(fold(key));
    const update = [3, 1, 4, 1, 5];
    const masked = update.map((value) => (value + victim()) % 2 ** WIDTH);
    // The attacker knows the first three values (a frozen layer) and finds the rest.
    let recovered: number[] = [];
    for (let seed = 0; seed < 2 ** 16 && recovered.length === 0; seed++) {
      const guess = weakStream(seed);
      const opened = masked.map((value) => (value - guess() + 2 ** WIDTH) % 2 ** WIDTH);
      if (opened[0] === 3 && opened[1] === 1 && opened[2] === 4) recovered = opened;
    }
    expect(recovered).toEqual(update);
    expect(fold(Uint8Array.of(4, 90, 17, 201))).toBe(fold(key));
  });

  test("ours: every bit of the 32-byte secret changes the mask", async () => {
    const base = systemRandom.bytes(32);
    const seen = new Set<string>([(await ourMask(base.slice())).subarray(0, 8).join()]);
    for (let bit = 0; bit < 256; bit += 5) {
      const changed = base.slice();
      changed[bit >> 3]! ^= 1 << (bit & 7);
      // The folded seed would be the same for a change in both halves.
      changed[(bit >> 3) ^ 16]! ^= 1 << (bit & 7);
      seen.add((await ourMask(changed)).subarray(0, 8).join());
    }
    expect(seen.size).toBe(53);
  });
});

describe("masks that are not uniform (exclusive upper ends, floats)", () => {
  test("break: a mask that never takes the ring's last values fails the test", () => {
    // Disco's kind: float32 in a range, rounded into the ring, leaves low bits empty.
    const floats = Array.from(systemRandom.bytes(40_000), (byte) => (byte << 12) >>> 0);
    expect(uniformity(floats).low).toBeGreaterThan(limit(256) * 100);
  });

  test("ours: high and low bits of masks and of what a client sends are uniform", async () => {
    const { high, low } = uniformity(await ourMask(systemRandom.bytes(32)));
    expect(high).toBeLessThan(limit(256));
    expect(low).toBeLessThan(limit(256));
    const cohort = await TestCohort.open({ clients: 3, encoding: smallPlan(3, 20_000) });
    const keys = await cohort.advertise([0, 1, 2]);
    await cohort.shareKeys([0, 1, 2], keys);
    const bytes = (await cohort.masked(0)).vector;
    expect(chiSquared(histogram(bytes, 256, (byte) => byte))).toBeLessThan(limit(256));
  });

  test("ours: the vectors of two clients with equal updates are not correlated", async () => {
    const [a, b] = await Promise.all([ourMask(systemRandom.bytes(32)), ourMask(systemRandom.bytes(32))]);
    for (let i = 0; i < a.length; i++) {
      a[i] = (a[i]! + i) % 2 ** WIDTH;
      b[i] = (b[i]! + i) % 2 ** WIDTH;
    }
    expect(Math.abs(correlation(a, b))).toBeLessThan(6 / Math.sqrt(a.length));
  });
});

describe("tiled masks (Octomil: 255 values over the whole vector)", () => {
  test("break: differences of the vector show through", () => {
    const tile = Array.from(systemRandom.bytes(255), (byte) => byte << 8);
    const update = Array.from({ length: 1000 }, (_, i) => (i * i) % 97);
    const masked = update.map((value, i) => (value + tile[i % 255]!) % 2 ** WIDTH);
    for (let i = 0; i < 500; i++) {
      const shown = (masked[i + 255]! - masked[i]! + 2 ** WIDTH) % 2 ** WIDTH;
      expect(shown).toBe((update[i + 255]! - update[i]! + 2 ** WIDTH) % 2 ** WIDTH);
    }
  });

  test("ours: no shift of a mask resembles it", async () => {
    const mask = await ourMask(systemRandom.bytes(32));
    for (const shift of [16, 255, 256, 4096, 32_768 - 1]) {
      const length = mask.length - shift;
      const found = correlation(mask.slice(0, length), mask.slice(shift));
      expect(Math.abs(found)).toBeLessThan(6 / Math.sqrt(length));
    }
  });
});

describe("both shares of one member revealed (Flower: no check of the lists)", () => {
  test("break: seed and key together open a masked vector", async () => {
    // A client that answers for one member in both lists hands the server these two.
    const [seed, secret, peerSecret] = [1, 2, 3].map(() => systemRandom.bytes(32));
    const own = await crypto.x25519.importSecret(secret!);
    const peer = await crypto.x25519.importSecret(peerSecret!);
    const sessionId = systemRandom.bytes(32);
    const segments = [{ count: 50, width: WIDTH }];
    const update = Uint32Array.from({ length: 50 }, (_, i) => i);
    const key = await pairMaskKey(masks, await own.agree(peer.publicKey), sessionId, [0, 1]);
    const pairMasks: Mask[] = [{ key, sign: pairSign(0, 1) }];
    const masked = update.slice();
    await addMasks(masked, pairMasks, maskLayout(segments));
    const selfOnly = await sumOfMasks(crypto, {
      sessionId,
      segments,
      items: [{ type: "self", member: 0, seed: seed!.slice() }],
    });
    for (let i = 0; i < 50; i++) masked[i]! += selfOnly[i]!;
    reduceToRing(masked, segments);
    expect(masked).not.toEqual(update);
    // Dropped out, says one list: its key gives the pair mask, with the sign of the surviving peer.
    const work = [
      { type: "self", member: 0, seed: seed! },
      { type: "pairs", member: 0, maskSecret: secret!, peers: [{ member: 1, maskKey: peer.publicKey }] },
    ] as const;
    const [self, pair] = await Promise.all(
      work.map((item) => sumOfMasks(crypto, { sessionId, segments, items: [item] })),
    );
    for (let i = 0; i < 50; i++) masked[i] = masked[i]! - self![i]! + pair![i]!;
    reduceToRing(masked, segments);
    expect(masked).toEqual(update);
  });

  test("ours: neither a vector nor an answer of a real session contains the update", async () => {
    const cohort = await TestCohort.open({ clients: 3 });
    const keys = await cohort.advertise([0, 1, 2]);
    await cohort.shareKeys([0, 1, 2], keys);
    const { vector } = await cohort.masked(0);
    expect(vector).not.toEqual(packVector(cohort.codes[0]!, cohort.encoding.segments));
    expect(cohort.updates[0]!.isSpent).toBe(true);
  });
});
