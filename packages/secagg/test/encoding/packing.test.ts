import { codeOf } from "@tributary/core/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PackedAdder, packedBytes, packVector, type RingSegment } from "../../src/index.ts";

const segments = fc.array(
  fc.record({ count: fc.integer({ min: 1, max: 70 }), width: fc.integer({ min: 8, max: 32 }) }),
  { minLength: 1, maxLength: 5 },
);

const adder = new PackedAdder();

const mask = (width: number): number => (width === 32 ? 0xffff_ffff : 2 ** width - 1);

/** Bit by bit, as the specification says it. */
function slowPack(vector: Uint32Array, parts: readonly RingSegment[]): Uint8Array {
  const bytes: number[] = [];
  let at = 0;
  for (const { count, width } of parts) {
    const bits: number[] = [];
    for (let i = 0; i < count; i++, at++)
      for (let bit = 0; bit < width; bit++) bits.push((vector[at]! >>> bit) & 1);
    for (let i = 0; i < bits.length; i += 8)
      bytes.push(bits.slice(i, i + 8).reduce((byte, bit, place) => byte | (bit << place), 0));
  }
  return Uint8Array.from(bytes);
}

describe("packing", () => {
  test("property: every width from 8 to 32 is packed as specified and comes back", () => {
    fc.assert(
      fc.property(segments, fc.infiniteStream(fc.integer({ min: 0, max: 0xffff_ffff })), (parts, words) => {
        const length = parts.reduce((sum, { count }) => sum + count, 0);
        const vector = Uint32Array.from(words.take(length));
        const packed = packVector(vector, parts);
        expect(packed.length).toBe(packedBytes(parts));
        expect(packed).toEqual(slowPack(vector, parts));
        const sum = new Uint32Array(length).fill(7);
        adder.add(sum, packed, parts);
        let at = 0;
        for (const { count, width } of parts)
          for (let i = 0; i < count; i++, at++)
            expect(sum[at]).toBe((((vector[at]! & mask(width)) >>> 0) + 7) % 2 ** 32);
      }),
      { seed: 11, numRuns: 150 },
    );
  });

  test("segments longer than a chunk are added whole", () => {
    const parts = [
      { count: 40_003, width: 25 },
      { count: 16_384, width: 13 },
      { count: 9, width: 32 },
    ];
    const length = 40_003 + 16_384 + 9;
    const vector = Uint32Array.from({ length }, (_, i) => Math.imul(i + 1, 0x9e37_79b9));
    const sum = new Uint32Array(length).fill(3);
    adder.add(sum, packVector(vector, parts), parts);
    adder.add(sum, packVector(vector, parts), parts);
    const widthAt = (i: number): number => (i < 40_003 ? 25 : i < 56_387 ? 13 : 32);
    const expected = vector.map((word, i) => 3 + 2 * ((word & mask(widthAt(i))) >>> 0));
    expect(sum).toEqual(expected);
  });

  test("a wrong length and bits after the end are refused", () => {
    const parts = [{ count: 3, width: 9 }];
    const packed = packVector(Uint32Array.of(1, 2, 3), parts);
    const add = (bytes: Uint8Array) => codeOf(() => adder.add(new Uint32Array(3), bytes, parts));
    expect(add(packed)).toBe("no error");
    expect(add(packed.subarray(1))).toBe("secagg/wrong-length");
    expect(add(Uint8Array.of(...packed, 0))).toBe("secagg/wrong-length");
    expect(add(packed.with(3, packed[3]! | 0x80))).toBe("secagg/wrong-length");
  });
});
