import { createHash, hash } from "node:crypto";
import type { Sha256Implementation } from "./sha256.ts";

const ALGORITHM = "sha256";

/** With the processor's instructions: a tenth of the time of JavaScript for whole files. */
export const implementation: Sha256Implementation = {
  hash: (bytes) => new Uint8Array(hash(ALGORITHM, bytes, "buffer")),
  create: () => {
    const stream = createHash(ALGORITHM);
    return { update: (bytes) => void stream.update(bytes), digest: () => new Uint8Array(stream.digest()) };
  },
};
