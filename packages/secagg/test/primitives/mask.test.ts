import { systemRandom } from "@tributary/core";
import { describe, expect, test } from "vitest";
import { addMasks, maskLayout, pairMaskKey, pairSign, reduceToRing, type Mask } from "../../src/index.ts";

const { subtle } = globalThis.crypto;
const keyOf = (raw: Uint8Array<ArrayBuffer>) => subtle.importKey("raw", raw, "AES-CTR", false, ["encrypt"]);

describe("masks", () => {
  test("are the key stream of AES-256-CTR from counter 0", async () => {
    // AESAVS: the zero block under the zero key.
    const layout = maskLayout([{ count: 4, width: 32 }]);
    const vector = new Uint32Array(4);
    await addMasks(subtle, vector, [{ key: await keyOf(new Uint8Array(32)), sign: 1 }], layout);
    const block = new DataView(
      Uint8Array.from(Buffer.from("dc95c078a2408989ad48a21492842087", "hex")).buffer,
    );
    expect([...vector]).toEqual([0, 4, 8, 12].map((at) => block.getUint32(at, true)));
  });

  test("chunks and lanes give one stream: no key stream is used twice", async () => {
    const segments = [
      { count: 50_001, width: 25 },
      { count: 40_000, width: 12 },
      { count: 70_003, width: 8 },
      { count: 3, width: 32 },
    ];
    const layout = maskLayout(segments);
    const key = await keyOf(systemRandom.bytes(32));
    const vector = new Uint32Array(layout.vectorLength);
    await addMasks(subtle, vector, [{ key, sign: 1 }], layout);
    const stream = await subtle.encrypt(
      { name: "AES-CTR", counter: new Uint8Array(16), length: 64 },
      key,
      new Uint8Array(layout.byteLength),
    );
    const read = new DataView(stream);
    let covered = 0;
    for (const chunk of layout.chunks) {
      expect(chunk.byteOffset % 16).toBe(0);
      for (const { lane, byteOffset, start, count } of chunk.pieces) {
        expect(start).toBe(covered);
        covered += count;
        const at = (i: number): number => chunk.byteOffset + byteOffset + (i * lane) / 8;
        for (const i of [0, count - 1]) {
          const word =
            lane === 8
              ? read.getUint8(at(i))
              : lane === 16
                ? read.getUint16(at(i), true)
                : read.getUint32(at(i), true);
          expect(vector[start + i]).toBe(word);
        }
      }
    }
    expect(covered).toBe(layout.vectorLength);
  });

  test("of a pair cancel, and of another session do not", async () => {
    const segments = [{ count: 1000, width: 20 }];
    const layout = maskLayout(segments);
    const sumOf = async (sessions: readonly [number, number]): Promise<Uint32Array> => {
      const vector = new Uint32Array(1000);
      for (const [member, session] of sessions.entries()) {
        const key = await pairMaskKey(subtle, new Uint8Array(32).fill(5), Uint8Array.of(session), [0, 1]);
        const mask: Mask = { key, sign: pairSign(member, 1 - member) };
        await addMasks(subtle, vector, [mask], layout);
      }
      reduceToRing(vector, segments);
      return vector;
    };
    expect((await sumOf([1, 1])).every((word) => word === 0)).toBe(true);
    const noise = await sumOf([1, 2]);
    expect(new Set(noise).size).toBeGreaterThan(990);
  });
});
