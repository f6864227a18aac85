import { encodeHex, seededRandom } from "@tributary/core";
import { giveUpReason, mayStillBegin, retryDelayMs } from "@tributary/federation";
import type { TaskRecord } from "../../ports/task-records.ts";
import { publishEvents } from "../commit-round.ts";
import { nextStep, type NextStep } from "../next-step.ts";
import type { RoundServices, Workers } from "../round-services.ts";
import { StopWatch } from "../stop-watch.ts";

/** Looks at the clock at least so often while it rests: someone may set it. */
const LOOK_MS = 60_000;

export interface CohortPaceOptions {
  readonly services: RoundServices & Pick<Workers, "activityChanged">;
  /** As it is now. */
  readonly task: () => TaskRecord;
  /** The pause is over. */
  readonly again: () => void;
  /** The schedule closes, or the task's time is over. */
  readonly look: () => void;
}

/** When the cohorts of a buffered task may begin: its schedule, its stop rules, and the pauses after failures. */
export class CohortPace {
  readonly #options: CohortPaceOptions;
  readonly #watch = new StopWatch();
  /** Cohorts and commits that failed in a row. */
  #failures = 0;
  #lastFailure: string | null = null;
  #pause: { readonly until: number; cancel(): void } | undefined;
  #closing: { cancel(): void } | undefined;
  #closed = false;

  constructor(options: CohortPaceOptions) {
    this.#options = options;
  }

  get failures(): number {
    return this.#failures;
  }

  /** Until when nothing is begun; null: something may be. */
  get pausedUntil(): number | null {
    return this.#pause?.until ?? null;
  }

  /** Decides what the task does next, and sees to it that it is asked again in time. */
  async next(): Promise<NextStep> {
    const { services, task } = this.#options;
    const { store, env } = services;
    const now = env.clock.now();
    const [failures, lastFailure] = [this.#failures, this.#lastFailure];
    const step = await store.transaction((tx) =>
      nextStep(tx, task().name, { watch: this.#watch, failures, lastFailure, now }),
    );
    if (this.#closed) return step;
    if (step.type === "round") this.#watchSchedule(step.task, now);
    else if (step.stopped !== undefined && step.task !== undefined) {
      const { name, state, reason } = step.task;
      env.log.info("task stopped", { task: name, state, reason });
      await publishEvents(services, step.stopped);
    } else if (step.until !== null) {
      this.#pauseFor(Math.min(LOOK_MS, Math.max(1, step.until - now)), step.until);
    }
    return step;
  }

  succeeded(): void {
    if (this.#failures > 0) this.#options.services.activityChanged();
    this.#failures = 0;
    this.#lastFailure = null;
  }

  failed(reason: string | null): void {
    this.#failures += 1;
    this.#lastFailure = reason;
    const { env } = this.#options.services;
    const { retries } = this.#options.task().spec;
    // It is not tried again: the next look pauses the task.
    const givesUp = giveUpReason(retries, this.#failures, null) !== undefined;
    const random = seededRandom(encodeHex(env.random.bytes(16)));
    const delayMs = givesUp ? 1 : retryDelayMs(retries, this.#failures, random);
    this.#pauseFor(delayMs, env.clock.now() + delayMs);
  }

  /** Ends a pause; whoever calls this looks again. */
  resume(): void {
    this.#pause?.cancel();
    this.#pause = undefined;
    this.#options.services.activityChanged();
  }

  close(): void {
    this.#closed = true;
    this.resume();
    this.#closing?.cancel();
  }

  #pauseFor(durationMs: number, until: number): void {
    this.#pause?.cancel();
    if (this.#closed) return;
    const timer = this.#options.services.env.clock.schedule(durationMs, () => {
      this.resume();
      this.#options.again();
    });
    this.#pause = { until, cancel: () => timer.cancel() };
    this.#options.services.activityChanged();
  }

  /** Devices train all the time: when the schedule closes, or the time is over, somebody has to notice. */
  #watchSchedule(task: TaskRecord, now: number): void {
    this.#closing?.cancel();
    const begin = mayStillBegin(task, now);
    const until = begin.may ? begin.until : now;
    if (until === null) return;
    const delayMs = Math.min(LOOK_MS, Math.max(1, until - now));
    this.#closing = this.#options.services.env.clock.schedule(delayMs, () => this.#options.look());
  }
}
