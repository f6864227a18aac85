import type { SecureRandom } from "../secure-random.ts";
import { seededRandom } from "../seeded-random.ts";

/**
 * FOR TESTS ONLY: a repeatable stand-in for `SecureRandom`. Everything derived from it can be predicted.
 * It lives in the testing subpath so that no shipped code can reach it by accident.
 */
export function createInsecureTestRandom(seed: string | number): SecureRandom {
  const random = seededRandom(seed);
  return {
    kind: "secure",
    bytes(length) {
      const bytes = new Uint8Array(length);
      for (let i = 0; i < length; i++) bytes[i] = random.integer(256);
      return bytes;
    },
  };
}
