import { encodeUtf8, concatBytes } from "./bytes.ts";
import { sha256Bytes } from "./digest.ts";
import { exactLog } from "./exact-log.ts";

/** For simulation, initial weights, sampling order and jitter: the same seed gives the same numbers everywhere. */
export interface SeededRandom {
  readonly kind: "seeded";
  /** In [0, 1), 53 bits. */
  next(): number;
  /** A uniform integer in [0, below); `below` from 1 to 2^32. */
  integer(below: number): number;
  /** Standard normal. */
  normal(): number;
  /** A stream of its own, by label: does not depend on how many numbers were drawn here. */
  fork(label: string): SeededRandom;
  /** Shuffles in place (Fisher-Yates) and returns the array. */
  shuffle<T>(items: T[]): T[];
}

/** sfc32 (Chris Doty-Humphrey, PractRand), seeded by a hash; not for secrets. */
export function seededRandom(seed: string | number): SeededRandom {
  return fromKey(sha256Bytes(encodeUtf8(`tributary-seed-v1:${typeof seed}:${seed}`)));
}

function fromKey(key: Uint8Array): SeededRandom {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  let a = view.getUint32(0, true) | 0;
  let b = view.getUint32(4, true) | 0;
  let c = view.getUint32(8, true) | 0;
  let counter = 1;
  let spare: number | undefined;

  const next32 = (): number => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + t) | 0;
    return t >>> 0;
  };
  // The author's warm-up.
  for (let i = 0; i < 12; i++) next32();

  const next = (): number => ((next32() >>> 5) * 67_108_864 + (next32() >>> 6)) / 9_007_199_254_740_992;
  const integer = (below: number): number => {
    if (!Number.isSafeInteger(below) || below < 1 || below > 2 ** 32) {
      throw new RangeError(`integer: below must be an integer from 1 to 2^32, got ${below}`);
    }
    const limit = 2 ** 32 - (2 ** 32 % below);
    for (;;) {
      const value = next32();
      if (value < limit) return value % below;
    }
  };
  return {
    kind: "seeded",
    next,
    integer,
    // Marsaglia's polar method: square root and exactLog are the same on every platform, Math.cos is not.
    normal() {
      if (spare !== undefined) {
        const value = spare;
        spare = undefined;
        return value;
      }
      for (;;) {
        const x = 2 * next() - 1;
        const y = 2 * next() - 1;
        const square = x * x + y * y;
        if (square >= 1 || square === 0) continue;
        const factor = Math.sqrt((-2 * exactLog(square)) / square);
        spare = y * factor;
        return x * factor;
      }
    },
    fork: (label) => fromKey(sha256Bytes(concatBytes(key, encodeUtf8(label)))),
    shuffle(items) {
      for (let i = items.length - 1; i > 0; i--) {
        const j = integer(i + 1);
        const held = items[i]!;
        items[i] = items[j]!;
        items[j] = held;
      }
      return items;
    },
  };
}
