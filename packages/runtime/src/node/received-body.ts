import type { Dispatcher } from "undici";

/** What may wait to be read before the sender has to. */
const MAX_WAITING_BYTES = 64 * 1024;

/** More of a body that nobody needs is not waited for: another connection costs less. */
const MAX_DRAINED_BYTES = 128 * 1024;

type Read = ReadableStreamReadResult<Uint8Array>;

/** The body of an answer, chunk by chunk as it comes. One reader, one read at a time. */
export class ReceivedBody {
  readonly #controller: Pick<Dispatcher.DispatchController, "abort" | "pause" | "resume">;
  readonly #chunks: Uint8Array[] = [];
  #waitingBytes = 0;
  #isPaused = false;
  #isOver = false;
  #failed: Error | undefined;
  /** Of a read that waits. */
  #wake: (() => void) | undefined;

  constructor(controller: Pick<Dispatcher.DispatchController, "abort" | "pause" | "resume">) {
    this.#controller = controller;
  }

  getReader(): { read(): Promise<Read>; cancel(): Promise<void> } {
    return {
      read: () => this.#read(),
      cancel: async () => this.#cancel(),
    };
  }

  /** Reads what nobody needs, so that the connection stays; one that sends too much of it is ended. */
  async drain(): Promise<void> {
    let bytes = 0;
    for (;;) {
      const { done, value } = await this.#read();
      if (done) return;
      bytes += value.length;
      if (bytes > MAX_DRAINED_BYTES) return this.#cancel();
    }
  }

  add(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes > MAX_WAITING_BYTES && !this.#isPaused) {
      this.#isPaused = true;
      this.#controller.pause();
    }
    this.#wake?.();
  }

  end(): void {
    this.#isOver = true;
    this.#wake?.();
  }

  fail(error: Error): void {
    this.#failed = error;
    this.end();
  }

  #cancel(): void {
    if (!this.#isOver) this.#controller.abort(new Error("http: the rest of the body is not wanted"));
  }

  async #read(): Promise<Read> {
    if (this.#chunks.length === 0 && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
    if (this.#failed !== undefined) throw this.#failed;
    const value = this.#chunks.shift();
    if (value === undefined) return { done: true, value };
    this.#waitingBytes -= value.length;
    if (this.#isPaused && this.#chunks.length === 0) {
      this.#isPaused = false;
      this.#controller.resume();
    }
    return { done: false, value };
  }
}
