import { toFailure } from "@tributary/core";
import { derive, type Derivation } from "./derivation.ts";
import type { DerivationAnswer } from "./derive-apart.ts";

// A worker thread: what is derived of large files, beside the event loop.

export default async function answer(job: Derivation): Promise<DerivationAnswer> {
  try {
    return { value: await derive(job) };
  } catch (error) {
    const { code, message } = toFailure(error);
    return { failure: { code, message } };
  }
}
