import { TributaryError, type Clock, type ErrorCode, type Logger } from "@tributary/core";

/** Why nothing can be written at present. */
export interface StorageProblem {
  readonly code: ErrorCode;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

/** Whether the coordinator can write: what operators are told while it cannot, when no row can tell them. */
export class StorageHealth {
  readonly #clock: Pick<Clock, "now">;
  readonly #log: Logger;
  #problem: StorageProblem | null = null;

  constructor({ clock, log }: { readonly clock: Pick<Clock, "now">; readonly log: Logger }) {
    this.#clock = clock;
    this.#log = log;
  }

  get problem(): StorageProblem | null {
    return this.#problem;
  }

  /** Something could not be stored, or read. */
  failed(error: unknown): void {
    if (!TributaryError.is(error)) return;
    if (this.#problem?.code !== error.code) this.#log.error("coordinator: nothing can be stored", { error });
    this.#problem ??= { code: error.code, since: this.#clock.now() };
  }

  /** Something was stored. */
  worked(): void {
    if (this.#problem === null) return;
    this.#log.warn("coordinator: storing works again", { code: this.#problem.code });
    this.#problem = null;
  }
}
