import { abortable, failure } from "@tributary/core";

/** The chunks of a body until a signal; what was received is counted. A source that breaks off is no update. */
export async function* abortableChunks(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  counter: { bytesUp: number },
): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  for (;;) {
    signal.throwIfAborted();
    let next: IteratorResult<Uint8Array>;
    try {
      // Not Promise.race with one promise for all: that would keep every chunk until the end.
      next = await abortable(iterator.next(), signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw failure("transport/upload-failed", "update: the connection ended during the upload", {
        cause: error,
      });
    }
    if (next.done === true) return;
    counter.bytesUp += next.value.length;
    yield next.value;
  }
}
