import { failure, sha256, silentLogger } from "@tributary/core";
import {
  addResult,
  failuresAfter,
  mayStillBegin,
  NO_PROGRESS,
  stopReason,
  type RoundConfig,
} from "@tributary/federation";
import { roundIdOf, taskRoundRules } from "@tributary/federation/aggregation";
import { createMemberVerifier, scheduleAt, type TaskReason } from "@tributary/protocol";
import { createClients } from "../fleet-model/clients.ts";
import { fleetModel, type FleetModel } from "../fleet-model/fleet-model.ts";
import { createSimulationClock } from "./clock.ts";
import { createIdentities } from "./identities.ts";
import { prepareTask, type PreparedTask } from "./prepare-task.ts";
import { requireFit } from "./require-fit.ts";
import { roundRow, type RoundRow } from "./round-row.ts";
import { simulatedSecrets } from "./secrets.ts";
import { sharedTable, sharedValues } from "./shared-table.ts";
import { SIMULATION_START_MS, type SimulateOptions, type SimulationResult } from "./simulate-options.ts";
import { SimulatedModel } from "./simulated-model.ts";
import { SimulatedRound } from "./simulated-round.ts";
import { createTrainingPool } from "./training-pool.ts";

const DEFAULT_ROUNDS = 100;
/** In a row; then nothing will change by itself. */
const MAX_ABANDONED = 20;

/**
 * Plays a task's rounds among simulated devices: both halves of the real protocol under a virtual clock, with real local
 * training. The same options give the same rounds and the same model, down to the bit, on any number of threads.
 *
 * @throws `simulator/*`, `onnx/*`, `secagg/*`, `aggregation/*`, `dataset/*`, `signal.reason`
 */
export async function simulate(options: SimulateOptions): Promise<SimulationResult> {
  const { data, heldOut, trusted, seed, signal } = options;
  const identities = createIdentities(seed);
  const task = await prepareTask(options.spec, options.model, identities.issuerPublicKey, trusted);
  requireFit(task, options);
  const pool = createTrainingPool(
    {
      ...task.graphs,
      layout: task.rules.plan.update,
      parameters: task.rules.plan.parameters,
      table: data.table,
      heldOut: heldOut === undefined ? null : sharedTable(heldOut),
      trusted: trusted === undefined ? null : sharedTable(trusted),
      dataSeed: data.seed,
    },
    options.threads,
  );
  try {
    const simulation = new Simulation(options, task, { identities, pool });
    await simulation.run(signal);
    return simulation.result();
  } finally {
    await pool.close();
  }
}

interface Means {
  readonly identities: ReturnType<typeof createIdentities>;
  readonly pool: ReturnType<typeof createTrainingPool>;
}

class Simulation {
  readonly #options: SimulateOptions;
  readonly #task: PreparedTask;
  readonly #means: Means;
  readonly #clock = createSimulationClock(SIMULATION_START_MS);
  readonly #clients: ReturnType<typeof createClients>;
  readonly #fleet: FleetModel;
  readonly #verifyMember = createMemberVerifier();
  readonly #model: SimulatedModel;
  readonly #rounds: number;
  readonly #rows: RoundRow[] = [];
  #committed = 0;
  #roundsToTarget: number | null = null;
  #progress = NO_PROGRESS;
  #stopped: TaskReason | undefined;

  constructor(options: SimulateOptions, task: PreparedTask, means: Means) {
    const { heldOut, evaluateEvery = 1 } = options;
    this.#options = options;
    this.#task = task;
    this.#means = means;
    this.#fleet = fleetModel(options.fleet ?? {});
    this.#clients = createClients(options.seed, this.#fleet, { languages: {}, tags: {}, ...options.labels });
    this.#rounds = options.rounds ?? task.spec.rounds ?? DEFAULT_ROUNDS;
    this.#model = new SimulatedModel({
      task,
      pool: means.pool,
      seed: options.seed,
      isMeasured: (number) =>
        heldOut !== undefined && (number % evaluateEvery === 0 || number === this.#rounds),
    });
  }

  async run(signal: AbortSignal | undefined): Promise<void> {
    let abandoned = 0;
    let scheduleMs = 0;
    while (this.#roundsToTarget === null) {
      signal?.throwIfAborted();
      this.#stopped = this.#stopReason();
      if (this.#stopped !== undefined) return;
      const closedMs = await this.#waitForSchedule();
      scheduleMs += closedMs;
      if (closedMs > 0) continue;
      const number = this.#rows.length + 1;
      const row = await this.#round(number, scheduleMs, signal);
      scheduleMs = 0;
      this.#rows.push(row);
      this.#options.onRound?.(row);
      if (row.phase === "committed") {
        const { loss, accuracy } = row;
        this.#progress = addResult(this.#task.spec.stop, this.#progress, { number, loss, accuracy });
      }
      abandoned = failuresAfter(abandoned, row);
      if (abandoned >= MAX_ABANDONED) throw this.#stalled(row);
      await this.#pass(this.#task.spec.pauseBetweenRoundsMs);
    }
  }

  result(): SimulationResult {
    const model = this.#model.model();
    return {
      spec: this.#task.spec,
      rows: this.#rows,
      stopped: this.#stopped ?? null,
      roundsToTarget: this.#roundsToTarget,
      model,
      weights: this.#model.weights,
      modelDigest: sha256(model),
      weightsDigest: this.#model.weightsDigest,
    };
  }

  #stopReason(): TaskReason | undefined {
    const { stop } = this.#task.spec;
    const at = {
      now: this.#clock.now(),
      since: SIMULATION_START_MS,
      roundsCommitted: this.#committed,
    };
    return stopReason({ rounds: this.#rounds, stop }, this.#progress, at);
  }

  #stalled({ round, reason, ready, offered, declines }: RoundRow): Error {
    const gaveUp = Object.entries(declines).map(([code, times]) => `, ${times} gave up with ${code}`);
    return failure(
      "simulator/stalled",
      `simulate: ${MAX_ABANDONED} rounds in a row were abandoned, the last with ${reason}: ${ready} of ${offered} devices with an offer were ready, the task needs ${this.#task.spec.cohort.minimumCount}${gaveUp.join("")}`,
      { detail: { round, reason } },
    );
  }

  async #round(number: number, scheduleMs: number, signal: AbortSignal | undefined): Promise<RoundRow> {
    const { spec, rules, planDigest } = this.#task;
    const { data, onProgress, targetAccuracy } = this.#options;
    const { identities, pool } = this.#means;
    const { version, weights, weightsDigest, sizeBytes } = this.#model;
    const config: RoundConfig = {
      task: spec.name,
      roundId: roundIdOf(spec.name, number),
      round: number,
      baseVersion: version,
      trainingRound: this.#committed + 1,
      plan: { target: `plans/${spec.name}/1.json`, digest: planDigest },
      weights: { target: `models/${spec.model}/${version}.safetensors`, digest: weightsDigest },
      timestampVersion: version,
      ...taskRoundRules(spec, rules.secure),
    };
    const startMs = this.#clock.monotonicMs();
    const random = simulatedSecrets(`${this.#options.seed}/server/${number}`);
    this.#model.evaluation = undefined;
    this.#model.trust = undefined;
    const round = new SimulatedRound({
      config,
      identities,
      base: { values: sharedValues(weights.values), sizeBytes },
      around: {
        clock: this.#clock,
        clients: this.#clients,
        data,
        task: this.#task,
        pool,
        env: { clock: this.#clock, random, log: silentLogger },
        verifyMember: this.#verifyMember,
        dropout: this.#fleet.dropout,
      },
      rootUpdate: () => this.#model.rootUpdate(config.roundId, this.#committed + 1),
      commit: async (mean) => {
        const made = await this.#model.commit(mean);
        this.#committed += 1;
        return made;
      },
      onChange: ({ phase, tally }) =>
        onProgress?.({
          round: this.#committed + 1,
          rounds: this.#rounds,
          phase,
          ready: tally.ready,
          goalCount: config.goalCount,
        }),
    });
    this.#clock.schedule(0, () => this.#watchSelection(round));
    await round.run(signal);
    const endMs = this.#clock.monotonicMs();
    const row = roundRow(this.#task, round, { startMs, endMs, scheduleMs }, this.#model);
    if (targetAccuracy !== undefined && (row.accuracy ?? -1) >= targetAccuracy) {
      this.#roundsToTarget = this.#committed;
    }
    return row;
  }

  /** Until one of the task's windows opens. @returns how long that took. @throws `simulator/stalled` when none does any more */
  async #waitForSchedule(): Promise<number> {
    const now = this.#clock.now();
    const schedule = scheduleAt(this.#task.spec.schedule, now);
    if (schedule.open) return 0;
    if (schedule.opensAt === null) {
      throw failure("simulator/stalled", "simulate: the task's schedule opens no more", { detail: { now } });
    }
    await this.#pass(schedule.opensAt - now);
    return schedule.opensAt - now;
  }

  /** A round that still waits for its devices when the schedule closes, or the task's time is over, does not begin. */
  #watchSelection(round: SimulatedRound): void {
    if (round.state.phase !== "selecting") return;
    const now = this.#clock.now();
    const begin = mayStillBegin({ spec: this.#task.spec, activeSince: SIMULATION_START_MS }, now);
    if (!begin.may) round.abandon("round/outside-schedule");
    else if (begin.until !== null) this.#clock.schedule(begin.until - now, () => this.#watchSelection(round));
  }

  /** Lets so much time pass. */
  async #pass(durationMs: number): Promise<void> {
    if (durationMs === 0) return;
    let over = false;
    this.#clock.schedule(durationMs, () => void (over = true));
    while (!over) await this.#clock.runNext();
  }
}
