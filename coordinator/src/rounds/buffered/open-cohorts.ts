import type { DeviceId, ErrorCode, ModelVersion, RoundId } from "@tributary/core";
import { roundEnded } from "@tributary/federation";
import type { RoundRecord } from "../../ports/round-records.ts";
import type { InterruptedRound } from "../interrupted-round.ts";
import type { RoundRun } from "../round-run.ts";
import type { SerialQueue } from "../serial-queue.ts";
import type { Background } from "./background.ts";
import type { BufferedDriverOptions } from "./buffered-driver.ts";
import type { CohortBase } from "./cohort-base.ts";
import type { CohortSeats } from "./cohort-seats.ts";
import { openCohort, resumeCohort, stopsAtOnce, takesDevices, type CohortInput } from "./open-cohort.ts";

export interface OpenCohortsOptions extends Pick<
  BufferedDriverOptions,
  "services" | "mode" | "uploadFolder"
> {
  readonly seats: CohortSeats;
  /** Openings of the task's rounds, one after the other: each takes a number. */
  readonly openings: SerialQueue;
  readonly background: Background;
  /** As it is now. */
  readonly task: () => BufferedDriverOptions["task"];
  /** What cohorts begin from: the newest version; undefined: it is not known yet. */
  readonly base: () => CohortBase | undefined;
  /** Whether a sum on this version may still enter the buffer. */
  readonly isLive: (base: ModelVersion) => boolean;
  /** A cohort is over and stored. */
  readonly ended: (record: RoundRecord) => Promise<void>;
  /** A device may be seated that could not before. */
  readonly free: () => void;
}

/** The cohorts of a buffered task that are under way: at most one takes devices that are free. */
export class OpenCohorts {
  readonly #options: OpenCohortsOptions;
  readonly #runs = new Map<RoundId, RoundRun>();
  /** The cohort that takes devices. */
  #head: RoundRun | undefined;
  #opening = false;
  #stopped = false;

  constructor(options: OpenCohortsOptions) {
    this.#options = options;
  }

  /** Oldest first. */
  get runs(): readonly RoundRun[] {
    return [...this.#runs.values()];
  }

  /** Gives devices that are free to the cohort that takes some, and opens one where there is none and there may be. */
  fill(mayOpen: (base: CohortBase) => boolean): void {
    const { seats, background, free } = this.#options;
    const base = this.#options.base();
    if (this.#stopped || base === undefined) return;
    if (this.#head !== undefined && takesDevices(this.#head)) return seats.fill(this.#head);
    if (this.#opening || !mayOpen(base)) return;
    this.#opening = true;
    const opening = this.#open(base).then((run) => {
      if (run === undefined) return;
      if (this.#isHead(run.config.baseVersion)) this.#head = run;
      else this.#age(run);
    });
    background.run(
      opening.finally(() => {
        this.#opening = false;
        free();
      }),
    );
  }

  /** What devices are training is still wanted; nobody else begins. */
  rest(): void {
    this.#head = undefined;
    for (const run of this.#runs.values()) run.give({ type: "close" });
  }

  /** The newest version is another one: cohorts on earlier ones take no more devices, or are over. */
  age(): void {
    this.#head = undefined;
    for (const run of this.#runs.values()) this.#age(run);
  }

  /** Goes on with a cohort that an earlier process began. */
  async resume(found: InterruptedRound): Promise<void> {
    const { services, seats } = this.#options;
    const { config, model, work, base: version } = found;
    if (work.plan === undefined) return;
    const { timestampVersion, minimumCount } = config;
    // Secure cohorts do not go on.
    await seats.prepare(false);
    const base = { model, version, plan: work.plan, timestampVersion, minimumCount };
    const run = await resumeCohort(services, this.#inputOf(base), found);
    if (run === undefined) return;
    seats.seat(run);
    this.#add(run);
    if (takesDevices(run) && this.#isHead(config.baseVersion)) this.#head = run;
    else this.#age(run);
  }

  abandon(code: ErrorCode): Promise<unknown> {
    return Promise.all(this.runs.map((run) => run.abandon(code)));
  }

  /** Opens none from now on. */
  stop(): void {
    this.#stopped = true;
  }

  /** A cohort on a base; undefined: the task stopped meanwhile. */
  #open(base: CohortBase): Promise<RoundRun | undefined> {
    return this.#options.openings.run(async () => {
      const { services, mode, seats } = this.#options;
      await seats.prepare(base.plan.secure !== null);
      const { population } = seats;
      const run = await openCohort(services, { ...this.#inputOf(base), mode, population });
      this.#add(run);
      return roundEnded(run.state) ? undefined : run;
    });
  }

  #inputOf(base: CohortBase): CohortInput {
    const { uploadFolder, seats, free } = this.#options;
    return {
      task: this.#options.task(),
      base,
      uploadFolder,
      send: (to, message) => seats.send(to, message),
      offered: (device, round) => seats.offered(device, round),
      seatsChanged: free,
      carry: (from, devices) => this.#carry(from, base, devices),
    };
  }

  #add(run: RoundRun): void {
    this.#runs.set(run.config.roundId, run);
    this.#options.background.run(this.#follow(run));
    stopsAtOnce(run, this.#options.task(), this.#stopped);
  }

  /** Devices that train when their cohort is formed go on in the next one on the same base. */
  #carry(from: RoundRun, base: CohortBase, devices: readonly DeviceId[]): void {
    const { seats, background, free } = this.#options;
    if (this.#head === from) this.#head = undefined;
    const { version } = base.version;
    const onHead = this.#isHead(version);
    const carrying = this.#open(base)
      .then((run) => {
        if (run === undefined) return seats.supersede(from, devices);
        if (this.#isHead(version)) this.#head = run;
        seats.move(from, run, devices);
        // Nobody else trains from a version that is not the newest any more.
        this.#age(run);
      })
      .finally(() => {
        if (onHead) this.#opening = false;
        free();
      });
    if (onHead) this.#opening = true;
    background.run(carrying);
  }

  async #follow(run: RoundRun): Promise<void> {
    const record = await run.ended;
    this.#runs.delete(run.config.roundId);
    if (this.#head === run) this.#head = undefined;
    this.#options.seats.ended(run);
    this.#options.services.countsChanged();
    await this.#options.ended(record);
  }

  #isHead(version: ModelVersion): boolean {
    return this.#options.base()?.version.version === version;
  }

  #age(run: RoundRun): void {
    const { baseVersion } = run.config;
    if (this.#isHead(baseVersion)) return;
    if (this.#options.isLive(baseVersion)) run.give({ type: "close" });
    else this.#options.background.run(run.abandon("round/superseded"));
  }
}
