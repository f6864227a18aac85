import { failure, type Env } from "@tributary/core";

/** A download that receives nothing for this long is broken off; it goes on where it was. */
const STALL_TIMEOUT_MS = 30_000;

/** Aborts with `core/timeout` when nothing has arrived for a while. */
export class StallGuard {
  readonly #env: Env;
  readonly #controller = new AbortController();
  readonly #parent: AbortSignal | undefined;
  readonly #onParent = (): void => this.#controller.abort(this.#parent?.reason);
  #timer: { cancel(): void };

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

  alive(): void {
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
        failure("core/timeout", `http: nothing arrived for ${STALL_TIMEOUT_MS} ms`, {
          detail: { timeoutMs: STALL_TIMEOUT_MS },
        }),
      ),
    );
  }
}
