import type { ErrorCode } from "@tributary/core";
import type { TaskRecord } from "../../ports/task-records.ts";
import { prepareRound } from "../prepared-round.ts";
import { resumeOrAbandon, type InterruptedRound } from "../interrupted-round.ts";
import type { RoundRunCommon } from "../round-run-options.ts";
import { RoundRun } from "../round-run.ts";
import { watchSelection } from "../round-watch.ts";
import type { SerialQueue } from "../serial-queue.ts";
import type { Background } from "./background.ts";
import type { BufferedDriverOptions } from "./buffered-driver.ts";
import type { CohortSeats } from "./cohort-seats.ts";
import { stopsAtOnce, takesDevices } from "./open-cohort.ts";

export interface GateRoundsOptions extends Pick<BufferedDriverOptions, "services" | "uploadFolder"> {
  /** Openings of the task's rounds, one after the other: each takes a number. */
  readonly openings: SerialQueue;
  readonly seats: CohortSeats;
  readonly background: Background;
  /** As it is now. */
  readonly task: () => TaskRecord;
  /** Reads the task again: what its gate waits for. */
  readonly refresh: () => Promise<unknown>;
  /** A device may be seated that could not before. */
  readonly free: () => void;
}

/**
 * The gate of a buffered task, beside its cohorts: held-out devices measure one version after the other, the others train on
 * meanwhile. Of the versions that come while one is measured, the newest is next.
 */
export class GateRounds {
  readonly #options: GateRoundsOptions;
  #run: RoundRun | undefined;
  #busy = false;
  #stopped = false;

  constructor(options: GateRoundsOptions) {
    this.#options = options;
  }

  get runs(): readonly RoundRun[] {
    return this.#run === undefined ? [] : [this.#run];
  }

  /** Gives held-out devices to the measurement under way, or begins the one that is due. */
  fill(mayOpen: () => boolean): void {
    const { task, seats } = this.#options;
    if (this.#run !== undefined && takesDevices(this.#run)) return seats.fill(this.#run);
    if (this.#busy || this.#stopped || (task().gate?.candidate ?? null) === null || !mayOpen()) return;
    this.#keepBusy(this.#measure());
  }

  /** Goes on with a measurement that an earlier process began. */
  async resume({ past, config, work, ...round }: InterruptedRound): Promise<void> {
    const { services, seats } = this.#options;
    // Secure rounds do not go on.
    await seats.prepare(false);
    const run = await resumeOrAbandon(services, { ...this.#common({ ...round, config }), ...work }, past);
    if (run === undefined) return;
    seats.seat(run);
    this.#keepBusy(this.#follow(run));
  }

  #keepBusy(work: Promise<void>): void {
    this.#busy = true;
    this.#options.background.run(
      work.finally(() => {
        this.#busy = false;
        this.#options.free();
      }),
    );
  }

  async abandon(code: ErrorCode): Promise<void> {
    await this.#run?.abandon(code);
  }

  /** Begins none from now on. */
  stop(): void {
    this.#stopped = true;
  }

  /** One measurement from beginning to end. */
  async #measure(): Promise<void> {
    const { openings, refresh } = this.#options;
    await refresh();
    const run = await openings.run(() => this.#open());
    if (run !== undefined) await this.#follow(run);
  }

  async #follow(run: RoundRun): Promise<void> {
    const { services, seats, refresh, free } = this.#options;
    this.#run = run;
    const watching = watchSelection(services, run, this.#options.task);
    try {
      stopsAtOnce(run, this.#options.task(), this.#stopped);
      free();
      await run.ended;
      seats.ended(run);
      services.countsChanged();
      await refresh();
    } finally {
      watching.cancel();
      this.#run = undefined;
    }
  }

  async #open(): Promise<RoundRun | undefined> {
    const { services, seats } = this.#options;
    const task = this.#options.task();
    if (task.state !== "running" || (task.gate?.candidate ?? null) === null) return undefined;
    const prepared = await prepareRound(services, task);
    if (prepared === "idle") return undefined;
    const { work, model, base } = prepared;
    await seats.prepare(prepared.secure);
    const config = await prepared.config(seats.population);
    return RoundRun.begin({ ...this.#common({ config, task, model, base }), ...work });
  }

  #common(round: Pick<RoundRunCommon, "config" | "task" | "model" | "base">): RoundRunCommon {
    const { services, seats, uploadFolder } = this.#options;
    return {
      ...round,
      services: { ...services, send: (to, message) => seats.send(to, message) },
      uploadFolder,
      offered: (device) => seats.offered(device, round.config.round),
      seatsChanged: this.#options.free,
      over: () => {},
    };
  }
}
