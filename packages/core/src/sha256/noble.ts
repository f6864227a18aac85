import { sha256 } from "@noble/hashes/sha2.js";
import type { Sha256Implementation } from "./sha256.ts";

/** In JavaScript: browsers offer no synchronous one. */
export const implementation: Sha256Implementation = {
  hash: (bytes) => sha256(bytes),
  create: () => {
    const hash = sha256.create();
    return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() };
  },
};
