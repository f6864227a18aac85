import { failure, type Env } from "@tributary/core";

/** A download that receives hardly anything for this long is broken off; it goes on where it was. */
const STALL_TIMEOUT_MS = 30_000;
/** What counts as progress, about 270 bytes a second: a byte now and then keeps nobody waiting for ever (TUF 1.5.2, slow retrieval). */
const STALL_BYTES = 8 * 1024;

/** Aborts with `core/timeout` when too little has arrived for a while. */
export class StallGuard {
  readonly #env: Env;
  readonly #controller = new AbortController();
  readonly #parent: AbortSignal | undefined;
  readonly #onParent = (): void => this.#controller.abort(this.#parent?.reason);
  #timer: { cancel(): void };
  #arrived = 0;

  constructor(env: Env, parent: AbortSignal | undefined) {
    this.#env = env;
    this.#parent = parent;
    if (parent?.aborted === true) this.#onParent();
    else parent?.addEventListener("abort", this.#onParent, { once: true });
    this.#timer = this.#arm();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  alive(bytes: number): void {
    this.#arrived += bytes;
    if (this.#arrived < STALL_BYTES) return;
    this.#arrived = 0;
    this.#timer.cancel();
    this.#timer = this.#arm();
  }

  end(): void {
    this.#timer.cancel();
    this.#parent?.removeEventListener("abort", this.#onParent);
  }

  #arm(): { cancel(): void } {
    return this.#env.clock.schedule(STALL_TIMEOUT_MS, () =>
      this.#controller.abort(
        failure("core/timeout", `http: less than ${STALL_BYTES} bytes arrived in ${STALL_TIMEOUT_MS} ms`, {
          detail: { timeoutMs: STALL_TIMEOUT_MS },
        }),
      ),
    );
  }
}
