/** Which examples a personalisation holds back: by their content, so that it is the same ones whatever comes and goes beside them. */
import { digestOf, encodeUtf8 } from "@tributary/core";
import { encodeInputs } from "../store/example-codec.ts";
import type { StoredExample } from "../store/device-store.ts";

/** A draw in [0, 1) for each example, in their order. */
export async function drawsOf(examples: readonly StoredExample[], seed: string): Promise<readonly number[]> {
  return await Promise.all(
    examples.map(async (example) => {
      const content = await digestOf(encodeInputs(example));
      const digest = await digestOf(encodeUtf8(`${seed} ${content}`));
      return Number.parseInt(digest.slice(0, 8), 16) / 2 ** 32;
    }),
  );
}

/**
 * The largest draw that is held back: of the share given, and of one example at least; all that is drawn the same goes with it.
 *
 * @param draws of two examples at least
 */
export function boundOf(draws: readonly number[], share: number): number {
  const sorted = draws.toSorted((a, b) => a - b);
  return sorted[Math.max(1, Math.round(share * sorted.length)) - 1]!;
}
