import { failure, toFailure, type DeviceId, type ErrorCode } from "@tributary/core";
import { failuresAfter } from "@tributary/federation";
import type { BufferedMode, IneligibleReason } from "@tributary/protocol";
import type { ConnectedDevice } from "../../gateway/gateway-types.ts";
import type { RoundRecord } from "../../ports/round-records.ts";
import type { TaskRecord } from "../../ports/task-records.ts";
import type { Driver, TaskActivity } from "../driver.ts";
import { abandonLeftOver } from "../interrupted-round.ts";
import type { RoundRun } from "../round-run.ts";
import type { RoundServices, Workers } from "../round-services.ts";
import { SerialQueue } from "../serial-queue.ts";
import type { TaskDesk } from "../task-desk.ts";
import { Background } from "./background.ts";
import { BufferVersions } from "./buffer-versions.ts";
import { CohortPace } from "./cohort-pace.ts";
import { CohortSeats } from "./cohort-seats.ts";
import { findInterruptedCohorts } from "./interrupted-cohorts.ts";
import { GateRounds } from "./gate-rounds.ts";
import { OpenCohorts } from "./open-cohorts.ts";

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
  readonly #seats: CohortSeats;
  readonly #pace: CohortPace;
  readonly #cohorts: OpenCohorts;
  readonly #versions: BufferVersions;
  readonly #gate: GateRounds;
  readonly #background: Background;
  #task: TaskRecord;
  /** Nothing is left to train: the last version waits for its verdict. */
  #trained = false;
  /** What an earlier process left goes on or is over. */
  #takingUp: Promise<void> | undefined;
  #takenUp = false;
  #pumping = false;
  #stopped = false;

  constructor(options: BufferedDriverOptions) {
    const { services, desk, mode, uploadFolder } = options;
    this.#options = options;
    this.#task = options.task;
    const task = (): TaskRecord => this.#task;
    const background = new Background((error) => this.#failed(error));
    this.#background = background;
    this.#seats = new CohortSeats({ services, desk, task, free: () => this.#pump() });
    this.#pace = new CohortPace({
      services,
      task,
      again: () => background.run(this.#begin()),
      look: () => background.run(this.#mayRun()),
    });
    this.#versions = new BufferVersions({
      services,
      mode,
      background,
      task,
      replaced: () => this.#abandon("round/base-replaced"),
      moved: () => {
        this.#cohorts.age();
        this.#pump();
      },
      committed: () => {
        this.#pace.succeeded();
        return this.#mayRun();
      },
      failed: (code) => this.#pace.failed(code),
    });
    const shared = {
      services,
      uploadFolder,
      seats: this.#seats,
      openings: new SerialQueue(),
      background,
      task,
      free: () => this.#pump(),
    };
    this.#gate = new GateRounds({ ...shared, refresh: () => this.#mayRun() });
    this.#cohorts = new OpenCohorts({
      ...shared,
      mode,
      base: () => this.#versions.base,
      isLive: (base) => this.#versions.isLive(base),
      ended: (record) => this.#cohortEnded(record),
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.resumed = promise;
    background.run(this.#begin().finally(resolve));
  }

  get task(): TaskRecord {
    return this.#task;
  }

  /** Oldest first. */
  get runs(): readonly RoundRun[] {
    return [...this.#gate.runs, ...this.#cohorts.runs];
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
    const rests = this.#task.state === "running" && this.runs.length === 0;
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
    if (this.#task.state !== "running") await this.#abandon("round/task-paused");
    else if (before.state !== "running" || before.activeSince !== this.#task.activeSince) {
      // Whoever lets it go on has seen why it stopped.
      this.#pace.succeeded();
      this.#pace.resume();
      this.#background.run(this.#begin());
    }
    this.#pump();
  }

  baseReplaced(version: number): Promise<void> {
    return this.#versions.announced(version);
  }

  headReset(version: number): void {
    this.#versions.headReset(version);
  }

  async close(): Promise<void> {
    this.#stopped = true;
    this.#cohorts.stop();
    this.#gate.stop();
    this.#pace.close();
    await this.#abandon("round/interrupted");
    await this.#background.idle();
    // One that was being opened meanwhile.
    await this.#abandon("round/interrupted");
  }

  async #begin(): Promise<void> {
    const may = await this.#mayRun();
    if (may) await this.#versions.begin();
    this.#takingUp ??= this.#takeUp(may).catch((error: unknown) => {
      this.#takingUp = undefined;
      throw error;
    });
    await this.#takingUp;
    this.#takenUp = true;
    if (may) this.#pump();
  }

  /** Rounds that a crash interrupted go on, or are over; the sums of those that had ended are in the buffer. */
  async #takeUp(mayRun: boolean): Promise<void> {
    const { services } = this.#options;
    const { base } = this.#versions;
    if (!mayRun || base === undefined) return abandonLeftOver(services, this.#task, undefined);
    const found = await findInterruptedCohorts(services, this.#task, base.version, (version) =>
      this.#versions.isLive(version),
    );
    for (const round of found) {
      if (round.config.measurement === undefined) await this.#cohorts.resume(round);
      else await this.#gate.resume(round);
    }
    if (this.#trained) await this.#cohorts.abandon("round/superseded");
  }

  /** Whether cohorts may begin. */
  async #mayRun(): Promise<boolean> {
    const step = await this.#pace.next();
    if (step.task !== undefined) this.#task = step.task;
    if (this.#stopped) return false;
    this.#trained = step.type === "round" && step.trained;
    if (this.#trained) await this.#cohorts.abandon("round/superseded");
    if (step.type === "round") return true;
    // What devices are training is still wanted; nobody else begins.
    if (step.until !== null) this.#cohorts.rest();
    else await this.#cohorts.abandon("round/superseded");
    await this.#seats.rest();
    return false;
  }

  #abandon(code: ErrorCode): Promise<unknown> {
    return Promise.all([this.#cohorts.abandon(code), this.#gate.abandon(code)]);
  }

  /** Gives devices that are free to cohorts, and held-out ones to the gate. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    // After the step under way, whose effects are still being carried out.
    queueMicrotask(() => {
      this.#pumping = false;
      if (this.#stopped || this.#task.state !== "running") return;
      const awake = this.#pace.pausedUntil === null;
      this.#cohorts.fill(({ minimumCount }) => awake && !this.#trained && this.#seats.enough(minimumCount));
      // A measurement that was interrupted is not begun a second time.
      this.#gate.fill(() => awake && this.#takenUp);
    });
  }

  async #cohortEnded({ id, phase, reason, baseVersion, reported }: RoundRecord): Promise<void> {
    if (phase === "buffered") {
      this.#pace.succeeded();
      await this.#versions.add({ roundId: id, baseVersion, updates: reported });
    } else if (!HARMLESS.has(reason ?? "") && failuresAfter(0, { phase, reason }) > 0)
      this.#pace.failed(reason);
    this.#pump();
  }

  #failed(error: unknown): void {
    const { log } = this.#options.services.env;
    log.error("cohort could not be run", { task: this.#task.name, error: toFailure(error) });
    this.#pace.failed(toFailure(error).code);
  }
}
