import { asModelVersion, type DeviceId, type ErrorCode, type RoundId } from "@tributary/core";
import { stalenessDiscount } from "@tributary/aggregation";
import {
  failuresAfter,
  initialBuffer,
  isLiveBase,
  stepBuffer,
  type BufferEffect,
  type BufferInput,
  type BufferState,
  type StaleCohort,
} from "@tributary/federation";
import { bufferMean, type RoundMean, type StaleMean } from "@tributary/federation/aggregation";
import type { BufferedMode, VerdictView } from "@tributary/protocol";
import type { Course } from "./course.ts";
import type { SharedWeights } from "./round-work.ts";
import type { SimulatedRound } from "./simulated-round.ts";

/** Abandoned because devices moved on, which says nothing about the next cohort. */
const SUPERSEDED = "round/superseded";

/** Plays a task in buffered mode: cohorts by their base, versions of full buffers, and a gate beside them. */
export function playBuffered(course: Course, mode: BufferedMode): Promise<void> {
  return new BufferedRounds(course, mode).play();
}

/** A sum that waits for its version. */
interface Buffered {
  readonly round: SimulatedRound;
  readonly mean: RoundMean;
  readonly scheduleMs: number;
}

class BufferedRounds {
  readonly #course: Course;
  readonly #mode: BufferedMode;
  /** Cohorts under way, oldest first. */
  readonly #cohorts = new Set<SimulatedRound>();
  readonly #buffered = new Map<RoundId, Buffered>();
  #buffer: BufferState;
  /** The cohort that takes devices. */
  #head: SimulatedRound | undefined;
  #gate: SimulatedRound | undefined;
  /** Cohorts in a row that came to nothing. */
  #failures = 0;
  /** When the schedule closed; null: it is open. */
  #closedAt: number | null = null;
  #scheduleMs = 0;

  constructor(course: Course, mode: BufferedMode) {
    this.#course = course;
    this.#mode = mode;
    this.#buffer = initialBuffer(mode, course.model.version);
  }

  async play(): Promise<void> {
    const course = this.#course;
    this.#watchSchedule();
    while (!course.over) {
      if (course.trained) this.#abandon(SUPERSEDED);
      else if (this.#head === undefined && this.#closedAt === null) {
        this.#head = await this.#open(course.model.shared(course.model.version));
      }
      if (this.#gate === undefined && course.gate.candidate !== null && this.#closedAt === null)
        await this.#measure();
      await course.proceed([...this.#cohorts, ...(this.#gate === undefined ? [] : [this.#gate])]);
    }
    this.#abandon(SUPERSEDED);
    this.#gate?.abandon(SUPERSEDED);
  }

  async #open(
    base: SharedWeights,
    carried: readonly DeviceId[] = [],
    from?: SimulatedRound,
  ): Promise<SimulatedRound> {
    const course = this.#course;
    const scheduleMs = this.#scheduleMs;
    this.#scheduleMs = 0;
    const round = course.openTraining(
      {
        base,
        commit: (mean) => {
          this.#buffered.set(round.config.roundId, { round, mean, scheduleMs });
          return Promise.resolve("buffered");
        },
      },
      { offerLimit: this.#mode.concurrency, buffered: true },
    );
    this.#cohorts.add(round);
    round.onEnded = () => this.#ended(round, scheduleMs);
    round.onCarry = (devices) => this.#carry(round, base, devices);
    if (from === undefined) await round.begin();
    else await round.goOn(from, carried, base.version === this.#buffer.head);
    return round;
  }

  /** Devices that train when their cohort is formed go on in the next one on the same base. */
  #carry(from: SimulatedRound, base: SharedWeights, devices: readonly DeviceId[]): void {
    if (devices.length === 0 && base.version !== this.#buffer.head) return;
    this.#course.clock.schedule(0, async () => {
      // Until here nobody opens another one.
      const wasHead = this.#head === from;
      if (wasHead) this.#head = undefined;
      if (this.#course.trained || this.#closedAt !== null) return from.supersede(devices);
      const round = await this.#open(base, devices, from);
      if (wasHead && base.version === this.#buffer.head) this.#head = round;
      // Nobody else trains from a version that is not the newest any more.
      this.#age(round);
    });
  }

  #ended(round: SimulatedRound, scheduleMs: number): void {
    this.#cohorts.delete(round);
    if (this.#head === round) this.#head = undefined;
    const { roundId, baseVersion } = round.config;
    const { state } = round;
    if (state.phase === "buffered") {
      this.#failures = 0;
      this.#give({ type: "cohort", cohort: { roundId, baseVersion, updates: state.counts.reported } });
      return;
    }
    const row = this.#course.tell(round, { scheduleMs });
    this.#failures = failuresAfter(this.#failures, row);
    // A cohort on a replaced base is none that failed; one on the newest that nobody fills is.
    if (row.reason === SUPERSEDED && baseVersion === this.#buffer.head) this.#failures += 1;
    this.#course.requireProgress(this.#failures, row);
  }

  #give(input: BufferInput): void {
    const { state, effects } = stepBuffer(this.#mode, this.#buffer, input);
    this.#buffer = state;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: BufferEffect): void {
    if (effect.type === "discard") return this.#discard(effect.roundIds, effect.code);
    this.#course.clock.schedule(0, () => this.#commit(effect.cohorts));
  }

  async #commit(cohorts: readonly StaleCohort[]): Promise<void> {
    const course = this.#course;
    const { model, task } = course;
    const last = cohorts.at(-1)!.roundId;
    model.begin();
    const mean = await bufferMean(task.strategy.strategy.aggregation, this.#means(cohorts), () =>
      model.rootUpdate(last, model.version),
    );
    const version = await model.commit(mean);
    const { evaluation, trust } = model;
    for (const { roundId, staleness } of cohorts) {
      const { round, scheduleMs } = this.#take(roundId);
      const discount = stalenessDiscount(staleness);
      course.tell(round, { scheduleMs, evaluation, trust, version, staleness, discount });
    }
    course.committed(version, { loss: evaluation?.loss ?? null, accuracy: evaluation?.accuracy ?? null });
    this.#head = undefined;
    this.#give({ type: "committed", version });
    for (const round of this.#cohorts) this.#age(round);
    course.attendance.forgetBefore(asModelVersion(Math.max(1, version - this.#mode.maxStaleness)));
    model.keep([
      ...[...this.#cohorts].map(({ config }) => config.baseVersion),
      course.gate.reference,
      ...(course.gate.candidate === null ? [] : [course.gate.candidate]),
      ...(this.#gate === undefined ? [] : [this.#gate.config.measurement!.candidate!.version]),
    ]);
  }

  async *#means(cohorts: readonly StaleCohort[]): AsyncGenerator<StaleMean> {
    for (const { roundId, staleness } of cohorts)
      yield { staleness, mean: this.#buffered.get(roundId)!.mean };
  }

  #discard(roundIds: readonly RoundId[], reason: ErrorCode): void {
    for (const roundId of roundIds) {
      const { round, scheduleMs } = this.#take(roundId);
      this.#course.tell(round, { scheduleMs, reason });
    }
  }

  #take(roundId: RoundId): Buffered {
    const buffered = this.#buffered.get(roundId);
    if (buffered === undefined) throw new TypeError(`simulate: no sum of ${roundId}`);
    this.#buffered.delete(roundId);
    return buffered;
  }

  #age(round: SimulatedRound): void {
    const { baseVersion } = round.config;
    if (baseVersion === this.#buffer.head) return;
    if (isLiveBase(this.#mode, this.#buffer, baseVersion)) round.close();
    else round.abandon(SUPERSEDED);
  }

  /** Beside the cohorts: of the versions that come while one is measured, the newest is next. */
  async #measure(): Promise<void> {
    const course = this.#course;
    let verdict: VerdictView | undefined;
    const round = course.openGate((sums, devices) => (verdict = course.judged(round, sums, devices)));
    this.#gate = round;
    round.onEnded = () => {
      this.#gate = undefined;
      if (round.state.phase === "abandoned" && round.state.code !== SUPERSEDED)
        verdict = course.judged(round);
      course.tell(round, { scheduleMs: 0, verdict });
    };
    await round.begin();
  }

  #abandon(code: ErrorCode): void {
    this.#head = undefined;
    for (const round of this.#cohorts) round.abandon(code);
  }

  /** Devices train all the time: when a window closes nobody else begins, when one opens cohorts do. */
  #watchSchedule(): void {
    const { clock } = this.#course;
    const schedule = this.#course.schedule();
    const now = clock.now();
    if (schedule.open) {
      if (this.#closedAt !== null) this.#scheduleMs += now - this.#closedAt;
      this.#closedAt = null;
      if (schedule.closesAt !== null) clock.schedule(schedule.closesAt - now, () => this.#watchSchedule());
      return;
    }
    this.#closedAt ??= now;
    this.#head = undefined;
    for (const round of this.#cohorts) round.close();
    clock.schedule(schedule.opensAt! - now, () => this.#watchSchedule());
  }
}
