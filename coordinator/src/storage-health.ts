import { TributaryError, type Clock, type ErrorCode, type Logger } from "@tributary/core";
import type { StatusView } from "@tributary/protocol";
import { timestamp } from "./registry/views.ts";

/** Why nothing can be written at present. */
export interface StorageProblem {
  readonly code: ErrorCode;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

export function storageProblemView(problem: StorageProblem | null): StatusView["storageProblem"] {
  return problem && { code: problem.code, since: timestamp(problem.since) };
}

export interface StorageHealthOptions {
  readonly clock: Pick<Clock, "now">;
  readonly log: Logger;
  /** Nothing can be stored any more, or all can again. */
  readonly changed: () => void;
}

/** Whether the coordinator can write: what operators are told while it cannot, when no row can tell them. */
export class StorageHealth {
  readonly #options: StorageHealthOptions;
  #problem: StorageProblem | null = null;

  constructor(options: StorageHealthOptions) {
    this.#options = options;
  }

  get problem(): StorageProblem | null {
    return this.#problem;
  }

  /** Something could not be stored, or read. */
  failed(error: unknown): void {
    if (!TributaryError.is(error)) return;
    const { clock, log, changed } = this.#options;
    if (this.#problem?.code !== error.code) log.error("coordinator: nothing can be stored", { error });
    if (this.#problem !== null) return;
    this.#problem = { code: error.code, since: clock.now() };
    changed();
  }

  /** Something was stored. */
  worked(): void {
    if (this.#problem === null) return;
    const { log, changed } = this.#options;
    log.warn("coordinator: storing works again", { code: this.#problem.code });
    this.#problem = null;
    changed();
  }
}
