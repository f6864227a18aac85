import { failure } from "@tributary/core";

/** Calls of a handle that may wait for their answers, where nobody says otherwise. */
export const MAX_QUEUED = 256;

/** @throws RangeError */
export function checkMaxQueued(maxQueued: number): void {
  if (Number.isSafeInteger(maxQueued) && maxQueued >= 1 && maxQueued <= 65_536) return;
  throw new RangeError(`model: maxQueued must be an integer in [1, 65536], got ${maxQueued}`);
}

/**
 * Bounds the calls under way, where they are made: what waits in front of a busy worker is memory too.
 *
 * @returns enters one call, and answers with how to leave. @throws `runtime/overloaded`
 */
export function callLimit(where: string, maxQueued: number): () => () => void {
  let underWay = 0;
  return () => {
    if (underWay >= maxQueued) {
      throw failure(
        "runtime/overloaded",
        `${where}: ${underWay} calls wait for their answers, and no more may (maxQueued); await some, or drop frames`,
        { detail: { maxQueued } },
      );
    }
    underWay += 1;
    return () => void (underWay -= 1);
  };
}
