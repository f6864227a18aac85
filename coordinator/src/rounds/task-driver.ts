import { encodeHex, failure, seededRandom, toFailure, type DeviceId, type ErrorCode } from "@tributary/core";
import { failuresAfter, giveUpReason, retryDelayMs } from "@tributary/federation";
import type { IneligibleReason } from "@tributary/protocol";
import type { RoundRecord } from "../ports/round-records.ts";
import type { TaskRecord } from "../ports/task-records.ts";
import type { ConnectedDevice } from "../gateway/gateway-types.ts";
import { publishEvents } from "./commit-round.ts";
import type { Driver, TaskActivity } from "./driver.ts";
import { nextStep } from "./next-step.ts";
import { failedInARow } from "./failed-in-a-row.ts";
import { isOutdated } from "./outdated-round.ts";
import { prepareRound } from "./prepared-round.ts";
import { abandonLeftOver, findInterrupted, resumeOrAbandon } from "./interrupted-round.ts";
import type { RoundRunCommon } from "./round-run-options.ts";
import { RoundRun } from "./round-run.ts";
import { LOOK_MS, watchSelection } from "./round-watch.ts";
import type { RoundServices, Workers } from "./round-services.ts";
import { StopWatch } from "./stop-watch.ts";
import type { TaskDesk } from "./task-desk.ts";
import { TaskSeats } from "./task-seats.ts";

/** A task that has nothing to measure looks again so often. */
const LOOK_AGAIN_MS = 2_000;

export interface TaskDriverOptions {
  readonly services: RoundServices & Workers;
  readonly desk: TaskDesk;
  readonly task: TaskRecord;
  readonly uploadFolder: string;
}

/** The rounds of one synchronous task, one after the other, while it is running. */
export class TaskDriver implements Driver {
  readonly #options: TaskDriverOptions;
  readonly #seats: TaskSeats;
  readonly #watch = new StopWatch();
  readonly #loop: Promise<void>;
  /** When it is known whether an interrupted round goes on. */
  readonly resumed: Promise<void>;
  #task: TaskRecord;
  #run: RoundRun | undefined;
  #stopped = false;
  #wake: (() => void) | undefined;
  /** Something changed since it was last looked whether a round is due. */
  #stale = false;
  /** Newest version that was announced as what tasks train from. */
  #newest = 0;
  /** Rounds that failed in a row; unknown before the first look into the store. */
  #failures: number | undefined;
  #lastFailure: string | null = null;
  /** When the next round may begin; null: one is under way, or nothing is planned. */
  #nextRoundAt: number | null = null;
  /** The round before. */
  #last: RoundRecord | undefined;

  constructor(options: TaskDriverOptions) {
    this.#options = options;
    this.#task = options.task;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.resumed = promise;
    this.#seats = new TaskSeats({
      services: options.services,
      desk: options.desk,
      task: () => this.#task,
      nextRoundAt: () => this.#nextRoundAt,
    });
    this.#loop = this.#rounds(resolve);
  }

  get runs(): readonly RoundRun[] {
    return this.#run === undefined ? [] : [this.#run];
  }

  get task(): TaskRecord {
    return this.#task;
  }

  checkIn({ device, population }: ConnectedDevice, examples: number): void {
    const { name } = this.#task;
    if (population !== this.#task.population) {
      throw failure(
        "identity/wrong-population",
        `rounds: task "${name}" is for population ${this.#task.population}`,
        {
          detail: { task: name },
        },
      );
    }
    this.#seats.checkIn({ device, examples });
  }

  /** A device of this population is not one of those that the task asks. */
  ineligible({ device, population }: ConnectedDevice, reason: IneligibleReason): void {
    if (population === this.#task.population) this.#seats.ineligible(device, reason);
  }

  declined(device: DeviceId, _run: RoundRun, code: string): void {
    this.#seats.declined(device, code);
  }

  leave(device: DeviceId): void {
    this.#seats.leave(device);
  }

  disconnected(device: DeviceId): void {
    this.#seats.disconnected(device);
  }

  activity(): TaskActivity {
    return {
      ...this.#seats.counts(),
      nextRoundAt: this.#task.state === "running" ? this.#nextRoundAt : null,
      failures: this.#failures ?? 0,
    };
  }

  /** The task's row or its model changed: looks again. */
  async changed(): Promise<void> {
    const { store } = this.#options.services;
    this.#stale = true;
    const task = await store.tasks.get(this.#task.name);
    // Whoever lets it go on has seen why it stopped.
    if (task !== undefined && task.activeSince !== this.#task.activeSince) this.#failures = 0;
    if (task !== undefined) this.#task = task;
    await this.#seats.refresh();
    this.#options.services.activityChanged();
    if (this.#task.state !== "running") await this.#interrupt("round/task-paused");
    this.#wake?.();
  }

  /** Another version of the model was published: a round on the old one could not be committed. */
  async baseReplaced(version: number): Promise<void> {
    this.#newest = Math.max(this.#newest, version);
    const run = this.#run;
    if (run === undefined || !isOutdated(run.config, version) || run.state.phase === "aggregating") return;
    await this.#interrupt("round/base-replaced");
  }

  headReset(version: number): void {
    this.#newest = version;
  }

  async close(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#interrupt("round/interrupted");
    await this.#loop;
  }

  async #interrupt(code: ErrorCode): Promise<void> {
    const run = this.#run;
    if (run !== undefined) await run.abandon(code);
  }

  async #rounds(resumed: () => void): Promise<void> {
    const { log } = this.#options.services.env;
    try {
      const interrupted = await this.#resume();
      resumed();
      if (interrupted !== undefined) await this.#follow(interrupted);
    } catch (error) {
      log.error("interrupted rounds could not be ended", { task: this.#task.name, error });
    }
    resumed();
    while (!this.#stopped) {
      try {
        this.#failures ??= await failedInARow(this.#options.services, this.#task);
        if (!(await this.#mayRun())) continue;
        const record = await this.#round();
        if (record === undefined) continue;
        this.#failures = failuresAfter(this.#failures, record);
        this.#lastFailure = record.reason;
      } catch (error) {
        this.#failures = (this.#failures ?? 0) + 1;
        this.#lastFailure = toFailure(error).code;
        log.error("round could not be run", { task: this.#task.name, error });
      }
      await this.#pause(this.#pauseMs());
    }
  }

  /** Whether another round is due. Where it is not, returns when something changed, or it may be. */
  async #mayRun(): Promise<boolean> {
    const { services } = this.#options;
    const { store, env } = services;
    this.#stale = false;
    const now = env.clock.now();
    const step = await store.transaction((tx) =>
      nextStep(tx, this.#task.name, {
        watch: this.#watch,
        failures: this.#failures ?? 0,
        lastFailure: this.#lastFailure,
        now,
      }),
    );
    if (step.task !== undefined) this.#task = step.task;
    if (step.type === "round") return true;
    if (step.stopped !== undefined && step.task !== undefined) {
      const { name, state, reason } = step.task;
      env.log.info("task stopped", { task: name, state, reason });
      await publishEvents(services, step.stopped);
    }
    this.#nextRoundAt = step.until;
    services.activityChanged();
    await this.#seats.rest();
    if (step.until === null) await this.#woken();
    else if (!this.#stale) await this.#pause(Math.min(LOOK_MS, Math.max(1, step.until - now)));
    return false;
  }

  async #round(): Promise<RoundRecord | undefined> {
    const { services } = this.#options;
    const next = await prepareRound(services, this.#task);
    if (next === "idle") {
      await this.#pause(LOOK_AGAIN_MS);
      return undefined;
    }
    const { work, secure, ...round } = next;
    await this.#seats.prepare(secure);
    const config = await next.config(this.#seats.population);
    if (this.#stopped) return undefined;
    await abandonLeftOver(services, round.task, this.#last);
    return this.#follow(await RoundRun.begin({ ...this.#common({ ...round, config }), ...work }));
  }

  /** The newest round that an earlier process left open, where it can go on; all others are over. */
  async #resume(): Promise<RoundRun | undefined> {
    const { services } = this.#options;
    const found = await findInterrupted(services, this.#task);
    if (found === undefined) return undefined;
    // Secure rounds do not go on.
    await this.#seats.prepare(false);
    const { work, past, ...round } = found;
    this.#run = await resumeOrAbandon(services, { ...this.#common(round), ...work }, past);
    return this.#run;
  }

  #common(round: Pick<RoundRunCommon, "config" | "task" | "model" | "base">): RoundRunCommon {
    const { services, uploadFolder } = this.#options;
    return {
      ...round,
      services,
      uploadFolder,
      offered: (device) => this.#seats.offered(device, round.config.round),
      seatsChanged: () => this.#seats.seatsChanged(),
      over: () => this.#seats.ended(),
    };
  }

  /** Sees a round to its end. */
  async #follow(run: RoundRun): Promise<RoundRecord> {
    const { services } = this.#options;
    const { config } = run;
    this.#run = run;
    // Whatever happened while the round was being set up found no round to interrupt.
    if (this.#stopped) run.give({ type: "abandon", code: "round/interrupted" });
    else if (this.#task.state !== "running") run.give({ type: "abandon", code: "round/task-paused" });
    else if (isOutdated(config, this.#newest)) run.give({ type: "abandon", code: "round/base-replaced" });
    this.#nextRoundAt = null;
    this.#seats.fill(run);
    services.activityChanged();
    const watching = watchSelection(services, run, () => this.#task);
    const record = await run.ended;
    watching.cancel();
    this.#seats.left();
    this.#last = record;
    this.#run = undefined;
    services.countsChanged();
    return record;
  }

  #pauseMs(): number {
    const { retries, pauseBetweenRoundsMs } = this.#task.spec;
    const failures = this.#failures ?? 0;
    if (failures === 0) return pauseBetweenRoundsMs;
    // It is not tried again: the next look pauses the task.
    if (giveUpReason(retries, failures, null) !== undefined) return 0;
    const random = seededRandom(encodeHex(this.#options.services.env.random.bytes(16)));
    return retryDelayMs(retries, failures, random);
  }

  /** Until something changes, or the time is over. */
  async #pause(durationMs: number): Promise<void> {
    if (durationMs === 0 || this.#stopped) return;
    const { clock } = this.#options.services.env;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = clock.schedule(durationMs, resolve);
    this.#nextRoundAt ??= clock.now() + durationMs;
    this.#options.services.activityChanged();
    this.#wake = resolve;
    await promise;
    timer.cancel();
    this.#wake = undefined;
  }

  /** Until something changes; at once when it did while nobody was waiting. */
  async #woken(): Promise<void> {
    if (this.#stopped || this.#stale) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await promise;
    this.#wake = undefined;
  }
}
