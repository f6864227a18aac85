import type { Timing } from "../contestant.ts";

/** When the page began to handle the last message of a worker. */
let messageAtMs = 0;

/** Messages of workers, and on ports to them, are seen here before their receivers see them. Called before any is made. */
export function watchMessages(): void {
  const seen = (): void => void (messageAtMs = performance.now());
  const { Worker: PlainWorker, MessageChannel: PlainChannel } = globalThis;
  globalThis.Worker = class extends PlainWorker {
    constructor(...args: ConstructorParameters<typeof Worker>) {
      super(...args);
      this.addEventListener("message", seen);
    }
  };
  globalThis.MessageChannel = class extends PlainChannel {
    constructor() {
      super();
      this.port1.addEventListener("message", seen);
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
