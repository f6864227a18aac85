import { failure, sha256, silentLogger, type ModelVersion } from "@tributary/core";
import {
  addResult,
  mayStillBegin,
  NO_PROGRESS,
  stopReason,
  type RoundConfig,
  type RoundState,
} from "@tributary/federation";
import { measurementRoundRules, roundIdOf, taskRoundRules } from "@tributary/federation/aggregation";
import {
  createMemberVerifier,
  scheduleAt,
  type ScheduleState,
  type TaskReason,
  type VerdictView,
} from "@tributary/protocol";
import { createClients, type Clients } from "../fleet-model/clients.ts";
import { fleetModel, type FleetModel } from "../fleet-model/fleet-model.ts";
import { Attendance } from "./attendance.ts";
import { createSimulationClock } from "./clock.ts";
import { GateCourse } from "./gate-course.ts";
import type { Identities } from "./identities.ts";
import type { PreparedTask } from "./prepare-task.ts";
import { roundRow, type RoundRow, type RowFacts } from "./round-row.ts";
import type { MeasuringWork, RoundWork, TrainingWork } from "./round-work.ts";
import { simulatedSecrets } from "./secrets.ts";
import { SIMULATION_START_MS, type SimulateOptions, type SimulationResult } from "./simulate-options.ts";
import type { SimulatedControls } from "./simulated-controls.ts";
import { SimulatedModel } from "./simulated-model.ts";
import { SimulatedRound } from "./simulated-round.ts";
import type { TrainingPool } from "./training-pool.ts";

export interface CourseOptions extends SimulateOptions {
  readonly task: PreparedTask;
  readonly identities: Identities;
  readonly pool: TrainingPool;
  /** With SCAFFOLD: what devices keep from round to round. */
  readonly controls: SimulatedControls | undefined;
}

const DEFAULT_ROUNDS = 100;
/** In a row; then nothing will change by itself. */
const MAX_ABANDONED = 20;
/** A round may wait for its devices so long. */
const STALLED_MS = 14 * 24 * 3_600_000;

/** The course of a simulated task, whatever its mode: its time, its model, its gate, its rounds, and when it is over. */
export class Course {
  readonly clock = createSimulationClock(SIMULATION_START_MS);
  readonly task: PreparedTask;
  readonly model: SimulatedModel;
  readonly gate: GateCourse;
  readonly attendance = new Attendance();
  readonly #options: CourseOptions;
  readonly #clients: Clients;
  readonly #fleet: FleetModel;
  readonly #verifyMember = createMemberVerifier();
  readonly #versions: number;
  readonly #rows: RoundRow[] = [];
  #number = 0;
  #progress = NO_PROGRESS;
  #roundsToTarget: number | null = null;
  #stopped: TaskReason | null = null;

  constructor(options: CourseOptions) {
    const { task, heldOut, pool, seed, evaluateEvery = 1 } = options;
    this.#options = options;
    this.task = task;
    this.#fleet = fleetModel(options.fleet ?? {});
    this.#clients = createClients(seed, this.#fleet, { languages: {}, tags: {}, ...options.labels });
    this.#versions = options.rounds ?? task.spec.rounds ?? DEFAULT_ROUNDS;
    this.gate = new GateCourse(task.spec, task.gate);
    this.model = new SimulatedModel({
      task,
      pool,
      seed,
      onVersion: options.onVersion,
      isMeasured: (number) =>
        heldOut !== undefined && (number % evaluateEvery === 0 || number === this.#versions),
    });
  }

  /** Whether the target was reached, the task is done, or its gate has lost patience. The last version gets its verdict before. */
  get over(): boolean {
    this.#options.signal?.throwIfAborted();
    if (this.#roundsToTarget !== null) return true;
    this.#stopped = this.gate.reason ?? (this.gate.candidate === null ? this.#done() : undefined) ?? null;
    return this.#stopped !== null;
  }

  /** Whether nothing is left to train. */
  get trained(): boolean {
    return this.#roundsToTarget !== null || this.#done() !== undefined;
  }

  /** Takes the next number. */
  openTraining(
    work: Omit<TrainingWork, "type" | "rootUpdate">,
    more: Partial<RoundConfig> = {},
  ): SimulatedRound {
    const { spec, rules, planDigest } = this.task;
    const { version, digest, control } = work.base;
    const rootUpdate = () => this.model.rootUpdate(config.roundId, version);
    const config: RoundConfig = {
      ...this.#identity(version),
      // Versions begin at 1: so many steps were made.
      trainingRound: version,
      plan: { target: `models/${spec.model}/plans/${spec.name}/1.json`, digest: planDigest },
      weights: { target: `models/${spec.model}/${version}.safetensors`, digest },
      ...(control === undefined
        ? {}
        : {
            control: {
              target: `models/${spec.model}/controls/${spec.name}/${version}.safetensors`,
              digest: sha256(control),
            },
          }),
      ...taskRoundRules(spec, rules.secure),
      ...more,
    };
    return this.#open(config, { type: "train", ...work, rootUpdate });
  }

  /** Held-out devices measure the version that waits for its verdict. */
  openGate(commit: MeasuringWork["commit"]): SimulatedRound {
    const { spec, gate } = this.task;
    const current = this.model.shared(this.gate.reference);
    const candidate = this.model.shared(this.gate.candidate!);
    const { name, model } = spec;
    const config: RoundConfig = {
      ...this.#identity(current.version),
      plan: { target: `models/${spec.model}/measurements/${name}/1.json`, digest: gate!.planDigest },
      weights: { target: `models/${model}/${current.version}.safetensors`, digest: current.digest },
      ...taskRoundRules(spec, gate!.secure),
      ...measurementRoundRules(spec, gate!.secure),
      measurement: {
        purpose: "gate",
        candidate: {
          version: candidate.version,
          weightsTarget: `models/${model}/${candidate.version}.safetensors`,
          weightsDigest: candidate.digest,
        },
      },
    };
    const round = this.#open(config, { type: "measure", gate: gate!, current, candidate, commit });
    // Training does not wait for held-out devices longer than they may take.
    this.clock.schedule(config.trainDeadlineMs, () => {
      if (round.state.phase === "selecting") round.abandon("round/too-few-ready");
    });
    return round;
  }

  /** A verdict on what a gate's round measured; one without sums decides nothing. */
  judged(
    { config: { roundId, measurement } }: SimulatedRound,
    sums?: Float64Array,
    devices?: number,
  ): VerdictView {
    const candidate = measurement!.candidate!.version;
    return this.gate.judge({ roundId, candidate, now: this.clock.now() }, sums, devices);
  }

  /** A version was made. */
  committed(version: ModelVersion, result: Pick<RoundRow, "loss" | "accuracy">): void {
    const { targetAccuracy } = this.#options;
    const number = version - 1;
    this.gate.committed(version);
    this.#progress = addResult(this.task.spec.stop, this.#progress, { number, ...result });
    if (targetAccuracy !== undefined && (result.accuracy ?? -1) >= targetAccuracy)
      this.#roundsToTarget = number;
  }

  /** What a round came to. */
  tell(round: SimulatedRound, facts: Omit<RowFacts, "endMs" | "released" | "weightsDigest">): RoundRow {
    const row = roundRow(this.task, round, {
      ...facts,
      endMs: round.endedMs ?? this.clock.monotonicMs(),
      released: this.gate.released,
      weightsDigest: this.model.shared(this.model.version).digest,
    });
    this.#rows.push(row);
    this.#options.onRound?.(row);
    return row;
  }

  /** @throws `simulator/stalled` where so many rounds in a row came to nothing that none will */
  requireProgress(failures: number, { round, reason, ready, offered, declines }: RoundRow): void {
    if (failures < MAX_ABANDONED) return;
    const gaveUp = Object.entries(declines).map(([code, times]) => `, ${times} gave up with ${code}`);
    throw failure(
      "simulator/stalled",
      `simulate: ${MAX_ABANDONED} rounds in a row were abandoned, the last with ${reason}: ${ready} of ${offered} devices with an offer were ready, the task needs ${this.task.spec.cohort.minimumCount}${gaveUp.join("")}`,
      { detail: { round, reason } },
    );
  }

  /** Lets the next thing happen. @throws `simulator/stalled` when nothing does, or rounds wait for weeks */
  async proceed(rounds: readonly SimulatedRound[]): Promise<void> {
    this.#options.signal?.throwIfAborted();
    const moved = await this.clock.runNext();
    const now = this.clock.monotonicMs();
    const waiting = rounds.find(({ startMs, ended }) => !ended && (!moved || now - startMs >= STALLED_MS));
    if (waiting === undefined) {
      if (moved) return;
      throw failure("simulator/stalled", "simulate: nothing happens any more");
    }
    const { config, state } = waiting;
    const { open, candidates } = state.tally;
    throw failure(
      "simulator/stalled",
      `simulate: ${config.roundId} did not begin within ${STALLED_MS / 86_400_000} simulated days: ${open + candidates} of ${config.minimumCount} devices came`,
      { detail: { roundId: config.roundId } },
    );
  }

  /** @throws `simulator/stalled` when none of the task's windows opens any more */
  schedule(): ScheduleState {
    const now = this.clock.now();
    const schedule = scheduleAt(this.task.spec.schedule, now);
    if (schedule.open || schedule.opensAt !== null) return schedule;
    throw failure("simulator/stalled", "simulate: the task's schedule opens no more", { detail: { now } });
  }

  /** Looks again whenever the schedule closes, or the task's time is over, until the round says that it is not waiting. */
  watchWindow(waits: () => boolean, closed: () => void): void {
    if (!waits()) return;
    const now = this.clock.now();
    const begin = mayStillBegin({ spec: this.task.spec, activeSince: SIMULATION_START_MS }, now);
    if (!begin.may) closed();
    else if (begin.until !== null)
      this.clock.schedule(begin.until - now, () => this.watchWindow(waits, closed));
  }

  result(): Omit<SimulationResult, "model" | "modelDigest"> {
    return {
      spec: this.task.spec,
      rows: this.#rows,
      stopped: this.#stopped,
      roundsToTarget: this.#roundsToTarget,
      released: this.gate.released,
      weights: this.model.weights,
      weightsDigest: this.model.shared(this.model.version).digest,
    };
  }

  #identity(
    baseVersion: ModelVersion,
  ): Pick<RoundConfig, "task" | "roundId" | "round" | "baseVersion" | "timestampVersion"> {
    const { name } = this.task.spec;
    const round = ++this.#number;
    const { version: timestampVersion } = this.model;
    return { task: name, roundId: roundIdOf(name, round), round, baseVersion, timestampVersion };
  }

  #open(config: RoundConfig, work: RoundWork): SimulatedRound {
    const { data, identities, pool, controls, seed } = this.#options;
    const random = simulatedSecrets(`${seed}/server/${config.round}`);
    return new SimulatedRound({
      config,
      identities,
      work,
      attendance: this.attendance,
      around: {
        clock: this.clock,
        clients: this.#clients,
        data,
        task: this.task,
        pool,
        env: { clock: this.clock, random, log: silentLogger },
        verifyMember: this.#verifyMember,
        dropout: this.#fleet.dropout,
        controls,
      },
      onChange: (state) => this.#progressed(config, state),
    });
  }

  #progressed({ goalCount }: RoundConfig, { phase, tally }: RoundState): void {
    const { onProgress } = this.#options;
    onProgress?.({
      round: this.model.version,
      rounds: this.#versions,
      phase,
      ready: tally.ready,
      goalCount,
    });
  }

  #done(): TaskReason | undefined {
    const { stop } = this.task.spec;
    const roundsCommitted = this.model.version - 1;
    const at = { now: this.clock.now(), since: SIMULATION_START_MS, roundsCommitted };
    return stopReason({ rounds: this.#versions, stop }, this.#progress, at);
  }
}
