import { concatBytes, decodeHex, systemRandom } from "@tributary/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addMasks,
  hkdfSha256,
  maskLayout,
  pairMaskKey,
  pairSign,
  reduceToRing,
  webCryptoMaskKeys,
  type MaskKey,
  type RingSegment,
} from "../../src/index.ts";
import { openNodeSecAggCrypto } from "../../src/node.ts";

const { subtle } = globalThis.crypto;
const salt = new Uint8Array(32).fill(1);
const info = new Uint8Array(5).fill(2);

/** The key stream that a mask of this secret consists of, by WebCrypto alone. */
async function streamOf(
  secret: Uint8Array<ArrayBuffer>,
  byteLength: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const raw = await hkdfSha256(subtle, secret, salt, info, 32);
  const key = await subtle.importKey("raw", raw, "AES-CTR", false, ["encrypt"]);
  const algorithm = { name: "AES-CTR", counter: new Uint8Array(16), length: 64 };
  return new Uint8Array(await subtle.encrypt(algorithm, key, new Uint8Array(byteLength)));
}

/** Elements of a key stream as the specification reads them: lane by lane, segments at whole blocks. */
function elementsOf(stream: Uint8Array<ArrayBuffer>, segments: readonly RingSegment[]): number[] {
  const view = new DataView(stream.buffer);
  const elements: number[] = [];
  let at = 0;
  for (const { count, width } of segments) {
    const bytes = width <= 8 ? 1 : width <= 16 ? 2 : 4;
    for (let i = 0; i < count; i++, at += bytes) {
      elements.push(
        bytes === 1 ? view.getUint8(at) : bytes === 2 ? view.getUint16(at, true) : view.getUint32(at, true),
      );
    }
    at = Math.ceil(at / 16) * 16;
  }
  return elements;
}

const segmentsArbitrary = fc.array(
  fc.record({ count: fc.integer({ min: 1, max: 70 }), width: fc.integer({ min: 1, max: 32 }) }),
  {
    minLength: 1,
    maxLength: 6,
  },
);

describe.each([webCryptoMaskKeys(subtle), openNodeSecAggCrypto().masks])("masks by $name", (masks) => {
  const keyOf = (secret: Uint8Array): Promise<MaskKey> =>
    masks.derive(new Uint8Array(secret), { salt, info });

  test("the key stream is that of AES-256-CTR under the derived key, whatever the reads", async () => {
    const secret = systemRandom.bytes(32);
    const expected = await streamOf(new Uint8Array(secret), 320_064);
    const stream = (await keyOf(secret)).stream();
    const read = [];
    for (const length of [16, 300_000, 48, 20_000]) read.push(await stream.next(length));
    expect(concatBytes(...read)).toEqual(expected);
  });

  test("a key gives its stream once, and the secret is overwritten", async () => {
    const secret = systemRandom.bytes(32);
    const key = await masks.derive(secret, { salt, info });
    expect(secret).toEqual(new Uint8Array(32));
    key.stream();
    expect(() => key.stream()).toThrow("once");
  });

  test("are added lane by lane, of any widths and counts", async () => {
    await fc.assert(
      fc.asyncProperty(
        segmentsArbitrary,
        fc.constantFrom(1 as const, -1 as const),
        async (segments, sign) => {
          const layout = maskLayout(segments);
          const secret = systemRandom.bytes(32);
          const vector = Uint32Array.from({ length: layout.vectorLength }, (_, i) => i * 0x9e37_79b9);
          const expected = elementsOf(
            await streamOf(new Uint8Array(secret), layout.byteLength),
            segments,
          ).map((word, i) => (vector[i]! + sign * word) >>> 0);
          await addMasks(vector, [{ key: await keyOf(secret), sign }], layout);
          expect([...vector]).toEqual(expected);
        },
      ),
      { seed: 7, numRuns: 50 },
    );
  });

  test("chunks and lanes give one stream: no key stream is used twice", async () => {
    const segments = [
      { count: 50_001, width: 25 },
      { count: 40_000, width: 12 },
      { count: 70_003, width: 8 },
      { count: 3, width: 32 },
    ];
    const layout = maskLayout(segments);
    expect(layout.chunks.length).toBeGreaterThan(1);
    const secrets = Array.from({ length: 70 }, () => systemRandom.bytes(32));
    const vector = new Uint32Array(layout.vectorLength);
    const signs = secrets.map((_, i): 1 | -1 => (i % 3 === 0 ? -1 : 1));
    const all = await Promise.all(
      secrets.map(async (secret, i) => ({ key: await keyOf(secret), sign: signs[i]! })),
    );
    await addMasks(vector, all, layout);
    const expected = new Uint32Array(layout.vectorLength);
    for (const [i, secret] of secrets.entries()) {
      const words = elementsOf(await streamOf(new Uint8Array(secret), layout.byteLength), segments);
      for (const [at, word] of words.entries()) expected[at] = expected[at]! + signs[i]! * word;
    }
    expect(vector).toEqual(expected);
  });

  test("of a pair cancel, and of another session do not", async () => {
    const segments = [{ count: 1000, width: 20 }];
    const layout = maskLayout(segments);
    const sumOf = async (sessions: readonly [number, number]): Promise<Uint32Array> => {
      const vector = new Uint32Array(1000);
      for (const [member, session] of sessions.entries()) {
        const key = await pairMaskKey(masks, new Uint8Array(32).fill(5), Uint8Array.of(session), [0, 1]);
        await addMasks(vector, [{ key, sign: pairSign(member, 1 - member) }], layout);
      }
      reduceToRing(vector, segments);
      return vector;
    };
    expect((await sumOf([1, 1])).every((word) => word === 0)).toBe(true);
    const noise = await sumOf([1, 2]);
    expect(new Set(noise).size).toBeGreaterThan(990);
  });
});

test("AESAVS: the zero block under the zero key is the stream's first", async () => {
  const key = await subtle.importKey("raw", new Uint8Array(32), "AES-CTR", false, ["encrypt"]);
  const algorithm = { name: "AES-CTR", counter: new Uint8Array(16), length: 64 };
  const block = new Uint8Array(await subtle.encrypt(algorithm, key, new Uint8Array(16)));
  expect(block).toEqual(decodeHex("dc95c078a2408989ad48a21492842087"));
});

test("masks are added where buffers cannot be transferred too", async () => {
  const layout = maskLayout([{ count: 5, width: 32 }]);
  const stream = systemRandom.bytes(layout.byteLength);
  Object.defineProperty(stream.buffer, "transfer", { value: undefined });
  const vector = new Uint32Array(5);
  await addMasks(vector, [{ key: { stream: () => ({ next: async () => stream }) }, sign: 1 }], layout);
  expect([...vector]).toEqual([...new Uint32Array(stream.buffer, 0, 5)]);
});
