import { toFailure, type ModelVersion } from "@tributary/core";
import {
  initialBuffer,
  isLiveBase,
  stepBuffer,
  type BufferedCohort,
  type BufferEffect,
  type BufferInput,
  type BufferState,
} from "@tributary/federation";
import { tracedRoot } from "../../observability/tracing/traced.ts";
import { strategyOf } from "@tributary/federation/planning";
import type { Background } from "./background.ts";
import type { BufferedDriverOptions } from "./buffered-driver.ts";
import { readBase, type CohortBase } from "./cohort-base.ts";
import { commitBuffer, discardCohorts } from "./commit-buffer.ts";
import { readBuffer } from "./read-buffer.ts";

export interface BufferVersionsOptions extends Pick<BufferedDriverOptions, "services" | "mode"> {
  readonly background: Background;
  /** As it is now. */
  readonly task: () => BufferedDriverOptions["task"];
  /** Somebody else's version is the newest: ends the cohorts on what it replaced. */
  readonly replaced: () => Promise<unknown>;
  /** Cohorts begin from another version now. */
  readonly moved: () => void;
  /** A version was made; cohorts do not begin from it yet. */
  readonly committed: () => Promise<unknown>;
  readonly failed: (code: string) => void;
}

/** The sums that a buffered task has, and the versions that it makes of them. */
export class BufferVersions {
  readonly #options: BufferVersionsOptions;
  #state: BufferState | undefined;
  #base: CohortBase | undefined;
  /** Newest version that was announced as what tasks train from. */
  #newest = 0;

  constructor(options: BufferVersionsOptions) {
    this.#options = options;
  }

  /** What cohorts begin from; undefined before `begin`, also where training was taken back. */
  get base(): CohortBase | undefined {
    return this.#base;
  }

  /** Whether a sum on this version may still enter. */
  isLive(base: ModelVersion): boolean {
    return this.#state !== undefined && isLiveBase(this.#options.mode, this.#state, base);
  }

  /** Reads what was left in the buffer, and goes on. */
  async begin(): Promise<void> {
    const { services, mode, task } = this.#options;
    const base = await readBase(services, task());
    this.#base = base;
    const { version } = base.version;
    this.#state ??= initialBuffer(mode, version, await readBuffer(services, task(), base.version));
    // Whoever published while the task rested replaced what its sums are changes to.
    await this.#give({ type: "replaced", version });
    await this.#give({ type: "retry" });
  }

  /** A cohort's sum was stored. */
  add(cohort: BufferedCohort): Promise<void> {
    return this.#give({ type: "cohort", cohort });
  }

  /** A version of the model was published. */
  async announced(version: number): Promise<void> {
    this.#newest = Math.max(this.#newest, version);
    // This task's own version is told of by its commit.
    if (this.#state === undefined || this.#state.committing !== null) return;
    await this.#followReplacement();
  }

  /** What was buffered is dropped, and the next beginning is from an older version. */
  headReset(version: number): void {
    this.#newest = version;
    this.#state = undefined;
    this.#base = undefined;
  }

  async #give(input: BufferInput): Promise<void> {
    if (this.#state === undefined) return;
    const { services, mode, background } = this.#options;
    const { state, effects } = stepBuffer(mode, this.#state, input);
    this.#state = state;
    for (const effect of effects) {
      if (effect.type === "discard")
        await discardCohorts(services, this.#options.task(), effect.roundIds, effect.code);
      else background.run(this.#commit(effect));
    }
  }

  async #commit({ cohorts }: Extract<BufferEffect, { type: "commit" }>): Promise<void> {
    const { services, committed, failed } = this.#options;
    const { log } = services.env;
    const task = this.#options.task();
    try {
      const base = this.#base!;
      // Of several rounds, and so of none: a trace of its own.
      const about = { "tributary.task": task.name, "tributary.buffer.cohorts": cohorts.length };
      const { version } = await tracedRoot(services.tracer, "buffer.commit", about, () =>
        commitBuffer(services, {
          task,
          model: base.model,
          plan: base.plan,
          strategy: strategyOf(services.strategies, task.spec),
          base: base.version,
          cohorts,
          timestampVersion: base.timestampVersion,
        }),
      );
      log.info("buffer committed", { task: task.name, version, cohorts: cohorts.length });
      await committed();
      // Training was taken back while it was being stored.
      if (this.#state === undefined || this.#state.committing === null) return;
      await this.#advance({ type: "committed", version });
      await this.#followReplacement();
    } catch (error) {
      const coded = toFailure(error);
      log.error("buffer could not be committed", { task: task.name, error: coded });
      await this.#give({ type: "commit-failed" });
      await this.#followReplacement();
      failed(coded.code);
    }
  }

  /** A version that another one made, if there is one. */
  async #followReplacement(): Promise<void> {
    const head = this.#state?.head ?? Infinity;
    if (this.#newest <= head) return;
    await this.#options.replaced();
    const model = await this.#options.services.store.models.get(this.#options.task().model);
    if (model !== undefined) await this.#advance({ type: "replaced", version: model.currentVersion });
  }

  async #advance(input: Extract<BufferInput, { type: "committed" | "replaced" }>): Promise<void> {
    this.#base = await readBase(this.#options.services, this.#options.task());
    await this.#give(input);
    this.#options.moved();
  }
}
