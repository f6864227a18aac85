/** One holder at a time, in the order of asking. */
export interface Turns {
  /**
   * Waits for the turn and answers with how to end it (idempotent).
   * Rejects with `signal.reason` when aborted before; the place in the queue is given up then.
   */
  take(signal?: AbortSignal): Promise<() => void>;
}

export function createTurns(): Turns {
  const waiting: (() => void)[] = [];
  let taken = false;

  const next = (): void => {
    const begin = waiting.shift();
    if (begin === undefined) taken = false;
    else begin();
  };
  const endOnce = (): (() => void) => {
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      next();
    };
  };

  return {
    take(signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted === true) return reject(signal.reason);
        if (!taken) {
          taken = true;
          return resolve(endOnce());
        }
        const onAbort = (): void => {
          waiting.splice(waiting.indexOf(begin), 1);
          reject(signal?.reason);
        };
        const begin = (): void => {
          signal?.removeEventListener("abort", onAbort);
          resolve(endOnce());
        };
        waiting.push(begin);
        signal?.addEventListener("abort", onAbort, { once: true });
      });
    },
  };
}
