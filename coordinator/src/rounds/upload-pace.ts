import { abortable, failure, type Clock } from "@tributary/core";

/** How often an upload is looked at. */
export const PACE_MS = 5_000;
/** What has to come in that time while others wait for the place; less is what a modem sends. */
export const PACE_BYTES = 32 * 1024;

/** Watches how fast a body comes; to be stopped when it is no longer read. */
export interface UploadPace {
  /** The body, until it is too slow: then `transport/upload-failed`, and the device may try again. */
  watch(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  stop(): void;
}

/**
 * Places for uploads are few, so that memory is bounded. One that is hardly used is given up while others wait for it:
 * devices that send a byte a second cannot keep the others from reporting.
 */
export function watchPace(clock: Pick<Clock, "schedule">, othersWait: () => boolean): UploadPace {
  const tooSlow = new AbortController();
  let received = 0;
  let timer = look();

  function look() {
    return clock.schedule(PACE_MS, () => {
      if (received < PACE_BYTES && othersWait()) {
        tooSlow.abort(
          failure("transport/upload-failed", `update: ${received} bytes in ${PACE_MS} ms while others wait`),
        );
        return;
      }
      received = 0;
      timer = look();
    });
  }

  return {
    async *watch(source) {
      const iterator = source[Symbol.asyncIterator]();
      for (;;) {
        const next = await abortable(iterator.next(), tooSlow.signal);
        if (next.done === true) return;
        received += next.value.length;
        yield next.value;
      }
    },
    stop: () => timer.cancel(),
  };
}
