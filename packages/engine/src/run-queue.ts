import { abortable, throwIfAborted } from "@tributary/core";

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
  let accepted = 0;
  const over = (): void => void (accepted -= 1);
  return {
    run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
      const begin = async (): Promise<T> => {
        throwIfAborted(signal);
        const value = await task();
        throwIfAborted(signal);
        return value;
      };
      const result = accepted === 0 ? begin() : tail.then(begin);
      accepted += 1;
      tail = result.then(over, over);
      return abortable(result, signal);
    },
    async idle() {
      await tail;
    },
  };
}
