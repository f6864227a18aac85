import type { Timing } from "../contestant.ts";

/** When the page had sent the last message to a worker, and began to handle the last one of a worker. */
let [postedAtMs, messageAtMs] = [0, 0];

/** Messages to workers are seen here after they were sent, those of workers before their receivers see them. Called before any is made. */
export function watchWorkers(): void {
  const Plain = globalThis.Worker;
  globalThis.Worker = class extends Plain {
    constructor(...args: ConstructorParameters<typeof Worker>) {
      super(...args);
      this.addEventListener("message", () => {
        messageAtMs = performance.now();
      });
    }

    override postMessage(message: unknown, more?: Transferable[] | StructuredSerializeOptions): void {
      super.postMessage(message, more as Transferable[]);
      postedAtMs = performance.now();
    }
  };
}

/**
 * Times one call: until the answer is here, and of that what the page's thread was busy with: the call itself, and from
 * the arrival of the answer's message until the caller has it.
 */
export async function timedCall(call: () => Promise<unknown>): Promise<Timing> {
  const begin = performance.now();
  [postedAtMs, messageAtMs] = [0, 0];
  const answer = call();
  const called = performance.now();
  await answer;
  const end = performance.now();
  // What is sent at the end of the turn is part of the call.
  const asked = Math.max(called, postedAtMs);
  const handled = messageAtMs === 0 ? end - asked : end - messageAtMs;
  return { latencyMs: end - begin, blockMs: asked - begin + handled };
}
