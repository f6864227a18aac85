import type { Timing } from "../contestant.ts";

/** When the page began to handle the last message of a worker. */
let messageAtMs = 0;

/** Worker messages are seen here before their receivers see them. Called before any worker is made. */
export function watchWorkers(): void {
  const Original = globalThis.Worker;
  globalThis.Worker = class extends Original {
    constructor(...args: ConstructorParameters<typeof Worker>) {
      super(...args);
      this.addEventListener("message", () => {
        messageAtMs = performance.now();
      });
    }
  };
}

/**
 * Times one call: until the answer is here, and of that what the page's thread was busy with: the call itself, and from
 * the arrival of the answer's message until the caller has it.
 */
export async function timedCall(call: () => Promise<unknown>): Promise<Timing> {
  const begin = performance.now();
  messageAtMs = 0;
  const answer = call();
  const called = performance.now();
  await answer;
  const end = performance.now();
  const handled = messageAtMs === 0 ? end - called : end - messageAtMs;
  return { latencyMs: end - begin, blockMs: called - begin + handled };
}
