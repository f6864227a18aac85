import { decodeHex, systemRandom } from "@tributary/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bytesToNumber,
  combine,
  encodeElement,
  evaluate,
  FIELD_PRIME,
  lagrangeWeights,
  splitSecret,
} from "../../src/index.ts";
import { publishedVectors } from "../support/data.ts";

interface ShamirVectors {
  readonly vectors: {
    readonly ciphersuite: string;
    readonly field_order_hex: string;
    readonly threshold: number;
    readonly secret: string;
    readonly coefficients: readonly string[];
    readonly shares: Readonly<Record<string, string>>;
  }[];
}

const published = publishedVectors<ShamirVectors>("shamir/rfc9591-shamir.json");
const littleEndian = (hex: string): bigint => bytesToNumber(decodeHex(hex).toReversed());

describe("Shamir's sharing", () => {
  test("the prime is above every 32-byte secret and passes Fermat's test", () => {
    const power = (base: bigint): bigint => {
      let [result, square] = [1n, base];
      for (let rest = FIELD_PRIME - 1n; rest > 0n; rest >>= 1n) {
        if ((rest & 1n) === 1n) result = (result * square) % FIELD_PRIME;
        square = (square * square) % FIELD_PRIME;
      }
      return result;
    };
    expect(FIELD_PRIME > 2n ** 256n).toBe(true);
    for (const base of [2n, 3n, 5n, 7n, 11n, 13n, 17n]) expect(power(base)).toBe(1n);
  });

  test.skipIf(published === undefined)("RFC 9591, appendix E: shares, and the secret from any two", () => {
    for (const vector of published!.vectors) {
      const prime = BigInt(vector.field_order_hex);
      const secret = littleEndian(vector.secret);
      const abscissas = Object.keys(vector.shares).map(Number);
      const shares = Object.values(vector.shares).map(littleEndian);
      expect(evaluate([secret, ...vector.coefficients.map(littleEndian)], abscissas, prime)).toEqual(shares);
      for (const left of [0, 1, 2]) {
        const kept = [0, 1, 2].filter((i) => i !== left);
        const [weights] = lagrangeWeights([kept.map((i) => abscissas[i]!)], prime);
        expect(
          combine(
            weights!,
            kept.map((i) => shares[i]!),
            prime,
          ),
        ).toBe(secret);
      }
    }
  });

  test("property: any t shares give the secret, t - 1 do not", () => {
    const cases = fc
      .record({
        holders: fc.integer({ min: 2, max: 40 }),
        secret: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      })
      .chain(({ holders, secret }) =>
        fc.record({
          secret: fc.constant(secret),
          threshold: fc.integer({ min: 2, max: holders }),
          abscissas: fc.uniqueArray(fc.integer({ min: 1, max: 10_000 }), {
            minLength: holders,
            maxLength: holders,
          }),
        }),
      );
    fc.assert(
      fc.property(cases, ({ secret, threshold, abscissas }) => {
        const value = bytesToNumber(secret);
        const shares = splitSecret(value, { threshold, abscissas, random: systemRandom });
        const from = (count: number): bigint =>
          combine(lagrangeWeights([abscissas.slice(-count)])[0]!, shares.slice(-count));
        expect(from(threshold)).toBe(value);
        expect(from(threshold - 1)).not.toBe(value);
      }),
      { seed: 77, numRuns: 60 },
    );
  });

  test("weights of several sets are those of each", () => {
    const sets = [[1, 2, 3], [7], [], [9_999, 5]];
    expect(lagrangeWeights(sets)).toEqual(sets.flatMap((set) => lagrangeWeights([set])));
  });

  test("the largest 32-byte secret survives, and elements take 33 bytes", () => {
    const value = 2n ** 256n - 1n;
    const shares = splitSecret(value, { threshold: 2, abscissas: [1, 2], random: systemRandom });
    expect(combine(lagrangeWeights([[1, 2]])[0]!, shares)).toBe(value);
    expect(bytesToNumber(encodeElement(FIELD_PRIME - 1n))).toBe(FIELD_PRIME - 1n);
  });

  test("abscissa 0, which is the secret, and repeated ones are refused", () => {
    const split = (abscissas: number[]) => () =>
      splitSecret(1n, { threshold: 2, abscissas, random: systemRandom });
    expect(split([0, 1])).toThrow(RangeError);
    expect(split([3, 3])).toThrow(RangeError);
    expect(split([1])).toThrow(RangeError);
  });
});
