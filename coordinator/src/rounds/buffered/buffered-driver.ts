import { failure, toFailure, type DeviceId, type ErrorCode, type RoundId } from "@tributary/core";
import {
  failuresAfter,
  initialBuffer,
  isLiveBase,
  roundEnded,
  stepBuffer,
  type BufferEffect,
  type BufferInput,
  type BufferState,
} from "@tributary/federation";
import type { BufferedMode, IneligibleReason } from "@tributary/protocol";
import type { ConnectedDevice } from "../../gateway/gateway-types.ts";
import type { TaskRecord } from "../../ports/records.ts";
import { strategyOf } from "@tributary/federation/planning";
import type { Driver, TaskActivity } from "../driver.ts";
import { abandonLeftOver } from "../interrupted-round.ts";
import type { RoundRun } from "../round-run.ts";
import type { RoundServices, Workers } from "../round-services.ts";
import { SerialQueue } from "../serial-queue.ts";
import type { TaskDesk } from "../task-desk.ts";
import { readBase, type CohortBase } from "./cohort-base.ts";
import { CohortPace } from "./cohort-pace.ts";
import { CohortSeats } from "./cohort-seats.ts";
import { commitBuffer, discardCohorts } from "./commit-buffer.ts";
import { openCohort } from "./open-cohort.ts";
import { readBuffer } from "./read-buffer.ts";

/** Abandoned because devices or the coordinator moved on, which says nothing about the next cohort. */
const HARMLESS: ReadonlySet<string> = new Set(["round/superseded", "round/interrupted"]);

export interface BufferedDriverOptions {
  readonly services: RoundServices & Workers;
  readonly desk: TaskDesk;
  readonly task: TaskRecord;
  readonly mode: BufferedMode;
  readonly uploadFolder: string;
}

/**
 * A task in buffered mode, while it is running: on the newest version there is always a cohort that takes devices; the
 * sums of cohorts go into the buffer, and a full buffer makes a version while the devices train on.
 */
export class BufferedDriver implements Driver {
  readonly resumed: Promise<void>;
  readonly #options: BufferedDriverOptions;
  readonly #runs = new Map<RoundId, RoundRun>();
  readonly #seats: CohortSeats;
  readonly #pace: CohortPace;
  /** Openings, one after the other: each takes a number. */
  readonly #openings = new SerialQueue();
  readonly #underWay = new Set<Promise<void>>();
  #task: TaskRecord;
  #base: CohortBase | undefined;
  #buffer: BufferState | undefined;
  /** The cohort that takes devices. */
  #head: RoundRun | undefined;
  #pumping = false;
  #opening = false;
  #stopped = false;
  /** Newest version of the model that was announced. */
  #newest = 0;

  constructor(options: BufferedDriverOptions) {
    this.#options = options;
    this.#task = options.task;
    this.#seats = new CohortSeats({
      services: options.services,
      desk: options.desk,
      task: () => this.#task,
      free: () => this.#pump(),
    });
    this.#pace = new CohortPace({
      services: options.services,
      task: () => this.#task,
      again: () => this.#background(this.#begin()),
      look: () => this.#background(this.#mayRun()),
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.resumed = promise;
    // Cohorts that a crash interrupted are over; their sums, where there were any, are in the buffer.
    const cleared = abandonLeftOver(options.services, options.task, undefined).finally(resolve);
    this.#background(cleared.then(() => this.#begin()));
  }

  get task(): TaskRecord {
    return this.#task;
  }

  /** Oldest first. */
  get runs(): readonly RoundRun[] {
    return [...this.#runs.values()];
  }

  checkIn({ device, population }: ConnectedDevice, examples: number): void {
    const { name } = this.#task;
    if (population !== this.#task.population) {
      throw failure(
        "identity/wrong-population",
        `rounds: task "${name}" is for population ${this.#task.population}`,
        { detail: { task: name } },
      );
    }
    this.#seats.checkIn({ device, examples });
    this.#pump();
  }

  ineligible({ device, population }: ConnectedDevice, reason: IneligibleReason): void {
    if (population === this.#task.population) this.#seats.ineligible(device, reason);
  }

  activity(): TaskActivity {
    const rests = this.#task.state === "running" && this.#runs.size === 0;
    const { pausedUntil, failures } = this.#pace;
    return { ...this.#seats.counts(), nextRoundAt: rests ? pausedUntil : null, failures };
  }

  leave(device: DeviceId): void {
    this.#seats.leave(device);
  }

  declined(device: DeviceId, run: RoundRun, code: string): void {
    this.#seats.declined(device, run, code);
  }

  disconnected(device: DeviceId): void {
    this.#seats.disconnected(device);
  }

  async changed(): Promise<void> {
    const { store } = this.#options.services;
    const task = await store.tasks.get(this.#task.name);
    const before = this.#task;
    if (task !== undefined) this.#task = task;
    await this.#seats.refresh();
    if (this.#task.state !== "running") await this.#abandonAll("round/task-paused");
    else if (before.state !== "running" || before.activeSince !== this.#task.activeSince) {
      // Whoever lets it go on has seen why it stopped.
      this.#pace.succeeded();
      this.#pace.resume();
      this.#background(this.#begin());
    }
    this.#pump();
  }

  async baseReplaced(version: number): Promise<void> {
    this.#newest = Math.max(this.#newest, version);
    // This task's own version is told of by its commit.
    if (this.#buffer === undefined || this.#buffer.committing !== null) return;
    await this.#followReplacement();
  }

  async close(): Promise<void> {
    this.#stopped = true;
    this.#pace.close();
    await this.#abandonAll("round/interrupted");
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
    // One that was being opened meanwhile.
    await this.#abandonAll("round/interrupted");
  }

  /** Reads what was left in the buffer, and goes on. */
  async #begin(): Promise<void> {
    const { services, mode } = this.#options;
    if (!(await this.#mayRun())) return;
    const base = await readBase(services, this.#task);
    this.#base = base;
    const { version } = base.version;
    this.#buffer ??= initialBuffer(mode, version, await readBuffer(services, this.#task, base.version));
    // Whoever published while the task rested replaced what its sums are changes to.
    await this.#give({ type: "replaced", version });
    await this.#give({ type: "retry" });
    this.#pump();
  }

  /** Whether cohorts may begin. */
  async #mayRun(): Promise<boolean> {
    const step = await this.#pace.next();
    if (step.task !== undefined) this.#task = step.task;
    if (this.#stopped || step.type === "round") return !this.#stopped;
    if (step.until === null) await this.#abandonAll("round/superseded");
    else {
      // What devices are training is still wanted; nobody else begins.
      this.#head = undefined;
      for (const run of this.#runs.values()) run.give({ type: "close" });
    }
    await this.#seats.rest();
    return false;
  }

  #abandonAll(code: ErrorCode): Promise<unknown> {
    return Promise.all(this.runs.map((run) => run.abandon(code)));
  }

  /** Gives devices that are free to the cohort that takes some, and opens one where there is none. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    // After the step under way, whose effects are still being carried out.
    queueMicrotask(() => {
      this.#pumping = false;
      if (this.#stopped || this.#task.state !== "running" || this.#base === undefined) return;
      if (this.#head !== undefined && takesDevices(this.#head)) this.#seats.fill(this.#head);
      else if (
        !this.#opening &&
        this.#pace.pausedUntil === null &&
        this.#seats.enough(this.#base.minimumCount)
      ) {
        this.#opening = true;
        this.#background(
          this.#open(this.#base)
            .then((run) => {
              if (run === undefined) return;
              if (this.#isHead(run.config.baseVersion)) this.#head = run;
              else this.#age(run);
            })
            .finally(() => {
              this.#opening = false;
              this.#pump();
            }),
        );
      }
    });
  }

  /** A cohort on a base; undefined: the task stopped meanwhile. */
  #open(base: CohortBase): Promise<RoundRun | undefined> {
    return this.#openings.run(async () => {
      const { services, uploadFolder, mode } = this.#options;
      await this.#seats.prepare(base.plan.secure !== null);
      const run = await openCohort(services, {
        task: this.#task,
        base,
        mode,
        uploadFolder,
        send: (to, message) => this.#seats.send(to, message),
        population: this.#seats.population,
        offered: (device, round) => this.#seats.offered(device, round),
        seatsChanged: () => this.#pump(),
        carry: (from, devices) => this.#carry(from, base, devices),
      });
      this.#runs.set(run.config.roundId, run);
      this.#background(this.#follow(run));
      if (this.#stopped) run.give({ type: "abandon", code: "round/interrupted" });
      else if (this.#task.state !== "running") run.give({ type: "abandon", code: "round/task-paused" });
      return roundEnded(run.state) ? undefined : run;
    });
  }

  /** Devices that train when their cohort is formed go on in the next one on the same base. */
  #carry(from: RoundRun, base: CohortBase, devices: readonly DeviceId[]): void {
    if (this.#head === from) this.#head = undefined;
    const { version } = base.version;
    const onHead = this.#isHead(version);
    const carrying = this.#open(base)
      .then((run) => {
        if (run === undefined) return this.#seats.supersede(from, devices);
        if (this.#isHead(version)) this.#head = run;
        this.#seats.move(from, run, devices);
        // Nobody else trains from a version that is not the newest any more.
        this.#age(run);
      })
      .finally(() => {
        if (onHead) this.#opening = false;
        this.#pump();
      });
    if (onHead) this.#opening = true;
    this.#background(carrying);
  }

  async #follow(run: RoundRun): Promise<void> {
    const record = await run.ended;
    this.#runs.delete(run.config.roundId);
    if (this.#head === run) this.#head = undefined;
    this.#seats.ended(run);
    this.#options.services.countsChanged();
    if (record.phase === "buffered") {
      this.#pace.succeeded();
      const { id: roundId, baseVersion, reported: updates } = record;
      await this.#give({ type: "cohort", cohort: { roundId, baseVersion, updates } });
    } else if (!HARMLESS.has(record.reason ?? "") && failuresAfter(0, record) > 0)
      this.#pace.failed(record.reason);
    this.#pump();
  }

  async #give(input: BufferInput): Promise<void> {
    if (this.#buffer === undefined) return;
    const { state, effects } = stepBuffer(this.#options.mode, this.#buffer, input);
    this.#buffer = state;
    for (const effect of effects) {
      if (effect.type === "discard") {
        await discardCohorts(this.#options.services, effect.roundIds, effect.code);
      } else this.#background(this.#commit(effect));
    }
  }

  async #commit({ cohorts }: Extract<BufferEffect, { type: "commit" }>): Promise<void> {
    const { services } = this.#options;
    const { log } = services.env;
    const { name } = this.#task;
    try {
      const base = this.#base!;
      const { version } = await commitBuffer(services, {
        task: this.#task,
        model: base.model,
        plan: base.plan,
        strategy: strategyOf(services.strategies, this.#task.spec),
        base: base.version,
        cohorts,
        timestampVersion: base.timestampVersion,
      });
      log.info("buffer committed", { task: name, version, cohorts: cohorts.length });
      this.#pace.succeeded();
      await this.#advance({ type: "committed", version });
      await this.#followReplacement();
      await this.#mayRun();
    } catch (error) {
      const coded = toFailure(error);
      log.error("buffer could not be committed", { task: name, error: coded });
      await this.#give({ type: "commit-failed" });
      await this.#followReplacement();
      this.#pace.failed(coded.code);
    }
  }

  /** A version that another one made, if there is one. */
  async #followReplacement(): Promise<void> {
    const head = this.#buffer?.head ?? Infinity;
    if (this.#newest <= head) return;
    await this.#abandonAll("round/base-replaced");
    const model = await this.#options.services.store.models.get(this.#task.model);
    if (model !== undefined) await this.#advance({ type: "replaced", version: model.currentVersion });
  }

  /** The newest version is another one: cohorts on earlier ones take no more devices, or are over. */
  async #advance(input: Extract<BufferInput, { type: "committed" | "replaced" }>): Promise<void> {
    this.#base = await readBase(this.#options.services, this.#task);
    this.#head = undefined;
    await this.#give(input);
    for (const run of this.#runs.values()) this.#age(run);
    this.#pump();
  }

  #isHead(version: number): boolean {
    return this.#base?.version.version === version;
  }

  #age(run: RoundRun): void {
    const buffer = this.#buffer;
    if (buffer === undefined || run.config.baseVersion === buffer.head) return;
    if (!isLiveBase(this.#options.mode, buffer, run.config.baseVersion)) {
      this.#background(run.abandon("round/superseded"));
    } else run.give({ type: "close" });
  }

  #background(work: Promise<unknown>): void {
    const { log } = this.#options.services.env;
    const running: Promise<void> = work
      .catch((error: unknown) => {
        log.error("cohort could not be run", { task: this.#task.name, error: toFailure(error) });
        this.#pace.failed(toFailure(error).code);
      })
      .then(() => void this.#underWay.delete(running));
    this.#underWay.add(running);
  }
}

function takesDevices({ state }: RoundRun): boolean {
  return state.phase === "selecting" || state.phase === "training";
}
