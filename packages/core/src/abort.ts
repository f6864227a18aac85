import type { Clock } from "./clock.ts";
import { failure } from "./errors.ts";

/** Throws `signal.reason` when the signal is aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  signal?.throwIfAborted();
}

/**
 * The promise, or a rejection with `signal.reason` as soon as the signal aborts. The work behind the promise
 * goes on by itself; its late rejection is swallowed.
 */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** A signal with a deadline. Cancel it when the work is done, or its timer stays. */
export interface TimeoutSignal extends Disposable {
  readonly signal: AbortSignal;
  /** Idempotent: the signal will not abort by time or parent any more. */
  cancel(): void;
}

/** Aborts after `timeoutMs` with `core/timeout`, or with the parent's reason when that aborts first. */
export function timeoutSignal(clock: Clock, timeoutMs: number, parent?: AbortSignal): TimeoutSignal {
  const controller = new AbortController();
  const timer = clock.schedule(timeoutMs, () => {
    stop();
    controller.abort(failure("core/timeout", `not done after ${timeoutMs} ms`, { detail: { timeoutMs } }));
  });
  const onParent = (): void => {
    stop();
    controller.abort(parent?.reason);
  };
  function stop(): void {
    timer.cancel();
    parent?.removeEventListener("abort", onParent);
  }
  if (parent?.aborted === true) onParent();
  else parent?.addEventListener("abort", onParent, { once: true });
  return { signal: controller.signal, cancel: stop, [Symbol.dispose]: stop };
}

/** Resolves after `delayMs` on the clock; rejects with `signal.reason` when aborted first. */
export function delay(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal!.reason);
    };
    const timer = clock.schedule(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
