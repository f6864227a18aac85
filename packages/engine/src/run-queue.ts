import { throwIfAborted } from "@tributary/core";

/**
 * Runs tasks one after the other, in the order of their calls. onnxruntime-web refuses a second run while one is
 * under way, and onnxruntime-node would interleave them on one thread pool.
 */
export interface RunQueue {
  /** Adds a task. An aborted signal drops a task that has not begun, and discards the result of one that has. */
  run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Settles when every task accepted so far has ended. Never rejects. */
  idle(): Promise<void>;
}

export function createRunQueue(): RunQueue {
  let tail: Promise<unknown> = Promise.resolve();
  return {
    run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
      const result = tail.then(async () => {
        throwIfAborted(signal);
        const value = await task();
        throwIfAborted(signal);
        return value;
      });
      tail = result.catch(() => undefined);
      if (signal === undefined) return result;
      return rejectEarly(result, signal);
    },
    async idle() {
      await tail;
    },
  };
}

/** Settles as `result` does, or rejects as soon as the signal says so; the task itself keeps its place. */
function rejectEarly<T>(result: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    result.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
