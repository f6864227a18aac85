/** Events kept for a consumer that lags; beyond, the oldest are lost. */
const MAX_KEPT = 1024;

export interface EventStreamOptions<T> {
  /** Starts delivery; the returned function ends it. */
  readonly subscribe: (listener: (event: T) => void) => () => void;
  /** Ends the stream, without an error. */
  readonly ended: AbortSignal;
  /** Ends the stream by the consumer's wish: the iteration rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Events from the moment of the call, for one consumer. `break` unsubscribes; a pending `next()` settles when the
 * source ends.
 */
export function eventStream<T>({
  subscribe,
  ended,
  signal,
}: EventStreamOptions<T>): AsyncIterableIterator<T> {
  const kept: T[] = [];
  /** Calls of `next()` that wait; a consumer may have made several. */
  let waiting: (() => void)[] = [];
  let done = false;
  const notify = (): void => {
    const woken = waiting;
    waiting = [];
    for (const wake of woken) wake();
  };
  const unsubscribe = subscribe((event) => {
    kept.push(event);
    if (kept.length > MAX_KEPT) kept.shift();
    notify();
  });
  const finish = (): void => {
    if (done) return;
    done = true;
    unsubscribe();
    ended.removeEventListener("abort", finish);
    signal?.removeEventListener("abort", finish);
    notify();
  };
  ended.addEventListener("abort", finish, { once: true });
  signal?.addEventListener("abort", finish, { once: true });
  if (ended.aborted || signal?.aborted === true) finish();

  return {
    async next() {
      for (;;) {
        const event = kept.shift();
        if (event !== undefined) return { done: false, value: event };
        if (done) {
          signal?.throwIfAborted();
          return { done: true, value: undefined };
        }
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
        });
      }
    },
    async return() {
      kept.length = 0;
      finish();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
