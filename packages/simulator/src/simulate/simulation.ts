import { isEmptyState, type StrategyState } from "@tributary/aggregation";
import { asModelVersion, failure, sha256, silentLogger, type Digest } from "@tributary/core";
import { evaluationResult, type EvaluationResult } from "@tributary/engine/evaluation";
import type { ExampleTable } from "@tributary/engine/examples";
import { tableProblem } from "@tributary/engine/table-problem";
import {
  addResult,
  NO_PROGRESS,
  roundCounts,
  stopReason,
  type RoundConfig,
  type RoundState,
} from "@tributary/federation";
import {
  roundIdOf,
  steppedWeights,
  taskRoundRules,
  type TrustSummary,
} from "@tributary/federation/aggregation";
import { summarizeTraining } from "@tributary/metrics";
import { bindWeights } from "@tributary/onnx";
import { createMemberVerifier, learningRateAt, type TaskReason, type TaskSpec } from "@tributary/protocol";
import { parametersToSafetensors, type ParameterSet } from "@tributary/tensor";
import type { ClientData } from "../data/client-data.ts";
import { createClients } from "../fleet-model/clients.ts";
import { fleetModel, type FleetModel } from "../fleet-model/fleet-model.ts";
import { createSimulationClock } from "./clock.ts";
import { createIdentities } from "./identities.ts";
import { prepareTask, type PreparedTask } from "./prepare-task.ts";
import type { RoundRow } from "./round-row.ts";
import { simulatedSecrets } from "./secrets.ts";
import { sharedTable, sharedValues } from "./shared-table.ts";
import { SimulatedRound } from "./simulated-round.ts";
import { createTrainingPool } from "./training-pool.ts";

export interface SimulateOptions {
  /** The task, with its defaults filled in. Its data set for evaluation is not used: see `heldOut`. */
  readonly spec: TaskSpec;
  /** ONNX file. */
  readonly model: Uint8Array;
  readonly data: ClientData;
  /** What versions are measured on; undefined: they are not. */
  readonly heldOut?: ExampleTable | undefined;
  /** What the server trains on itself, where the task's strategy compares with that; the data set that the task names is not used. */
  readonly trusted?: ExampleTable | undefined;
  /** Everything random follows from it. */
  readonly seed: string;
  readonly fleet?: Partial<FleetModel>;
  /**
   * Rounds to commit, if no stop rule of the task ends it before.
   * @defaultValue those of the task, else 100
   */
  readonly rounds?: number | undefined;
  /** Ends after the first round whose version is at least as good on the held-out examples, 0 to 1. */
  readonly targetAccuracy?: number | undefined;
  /**
   * Measures every so manyth version, and the last.
   * @defaultValue 1
   */
  readonly evaluateEvery?: number | undefined;
  /**
   * Threads that train.
   * @defaultValue one for each processor
   */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onRound?: (row: RoundRow) => void;
  /** The round under way. */
  readonly onProgress?: (progress: SimulationProgress) => void;
}

export interface SimulationProgress {
  readonly round: number;
  readonly rounds: number;
  readonly phase: RoundState["phase"];
  readonly ready: number;
  readonly goalCount: number;
}

export interface SimulationResult {
  /** With what the task left unsaid. */
  readonly spec: TaskSpec;
  readonly rows: readonly RoundRow[];
  /** Why it ended, as a task says it; null: `targetAccuracy` was reached. */
  readonly stopped: TaskReason | null;
  /** The first round that reached `targetAccuracy`; null: none did, or there is none. */
  readonly roundsToTarget: number | null;
  /** The last version, as ONNX. */
  readonly model: Uint8Array<ArrayBuffer>;
  readonly weights: ParameterSet;
  /** SHA-256 of the model and of its weights as safetensors. */
  readonly modelDigest: Digest;
  readonly weightsDigest: Digest;
}

/** A Monday, midnight UTC: where simulated time begins. */
export const SIMULATION_START_MS = Date.UTC(2026, 0, 5);
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

/** Before it trains for nothing. */
function requireFit({ spec, ports }: PreparedTask, { data, heldOut, trusted }: SimulateOptions): void {
  if (spec.kind !== "train") {
    throw failure(
      "simulator/invalid-options",
      `simulate: "${spec.name}" is of kind "${spec.kind}"; only tasks of kind "train" are simulated`,
      { detail: { option: "kind", got: spec.kind } },
    );
  }
  if (spec.mode.type !== "synchronous") {
    throw failure(
      "simulator/invalid-options",
      `simulate: "${spec.name}" is in ${spec.mode.type} mode; only synchronous rounds are simulated`,
      { detail: { option: "mode", got: spec.mode.type } },
    );
  }
  const { goalCount, minimumCount } = spec.cohort;
  if (data.clients < minimumCount) {
    throw failure(
      "simulator/invalid-options",
      `simulate: ${data.clients} clients are fewer than the ${minimumCount} that a round of "${spec.name}" needs (its goal is ${goalCount})`,
      { detail: { option: "clients", got: data.clients, expected: minimumCount } },
    );
  }
  for (const [what, table] of [
    ["training", data.table],
    ["held-out", heldOut],
    ["trusted", trusted],
  ] as const) {
    const problem = table === null || table === undefined ? undefined : tableProblem(table, spec, ports);
    if (problem === undefined) continue;
    throw failure("dataset/mismatch", `simulate: the ${what} examples do not fit the model: ${problem}`, {
      detail: { problem: problem.slice(0, 200) },
    });
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
  readonly #rounds: number;
  readonly #rows: RoundRow[] = [];
  #weights: ParameterSet;
  #weightsFile: Uint8Array<ArrayBuffer>;
  #state: StrategyState | undefined;
  #version = 1;
  #committed = 0;
  #evaluation: EvaluationResult | undefined;
  #trust: TrustSummary | undefined;
  #roundsToTarget: number | null = null;
  #progress = NO_PROGRESS;
  #stopped: TaskReason | undefined;

  constructor(options: SimulateOptions, task: PreparedTask, means: Means) {
    this.#options = options;
    this.#task = task;
    this.#means = means;
    this.#fleet = fleetModel(options.fleet ?? {});
    this.#clients = createClients(options.seed, this.#fleet);
    this.#rounds = options.rounds ?? task.spec.rounds ?? DEFAULT_ROUNDS;
    this.#weights = task.weights;
    this.#weightsFile = parametersToSafetensors(task.weights);
  }

  async run(signal: AbortSignal | undefined): Promise<void> {
    let abandoned = 0;
    for (let round = 1; this.#roundsToTarget === null; round++) {
      signal?.throwIfAborted();
      this.#stopped = this.#stopReason();
      if (this.#stopped !== undefined) return;
      const row = await this.#round(round, signal);
      this.#rows.push(row);
      this.#options.onRound?.(row);
      if (row.phase === "committed") {
        const { loss, accuracy } = row;
        this.#progress = addResult(this.#task.spec.stop, this.#progress, { number: round, loss, accuracy });
      }
      abandoned = row.phase === "committed" ? 0 : abandoned + 1;
      if (abandoned >= MAX_ABANDONED) {
        const declines = Object.entries(row.declines).map(
          ([code, times]) => `, ${times} gave up with ${code}`,
        );
        throw failure(
          "simulator/stalled",
          `simulate: ${MAX_ABANDONED} rounds in a row were abandoned, the last with ${row.reason}: ${row.ready} of ${row.offered} devices with an offer were ready, the task needs ${this.#task.spec.cohort.minimumCount}${declines.join("")}`,
          { detail: { round, reason: row.reason } },
        );
      }
      await this.#pause();
    }
  }

  result(): SimulationResult {
    const model = bindWeights(this.#task.graph, this.#weights);
    return {
      spec: this.#task.spec,
      rows: this.#rows,
      stopped: this.#stopped ?? null,
      roundsToTarget: this.#roundsToTarget,
      model,
      weights: this.#weights,
      modelDigest: sha256(model),
      weightsDigest: sha256(this.#weightsFile),
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

  async #round(number: number, signal: AbortSignal | undefined): Promise<RoundRow> {
    const { spec, rules, planDigest } = this.#task;
    const { data, onProgress } = this.#options;
    const { identities, pool } = this.#means;
    const config: RoundConfig = {
      task: spec.name,
      roundId: roundIdOf(spec.name, number),
      round: number,
      baseVersion: asModelVersion(this.#version),
      trainingRound: this.#committed + 1,
      plan: { target: `plans/${spec.name}/1.json`, digest: planDigest },
      weights: {
        target: `models/${spec.model}/${this.#version}.safetensors`,
        digest: sha256(this.#weightsFile),
      },
      timestampVersion: this.#version,
      ...taskRoundRules(spec, rules.secure),
    };
    const startMs = this.#clock.monotonicMs();
    const random = simulatedSecrets(`${this.#options.seed}/server/${number}`);
    this.#evaluation = undefined;
    this.#trust = undefined;
    const round = new SimulatedRound({
      config,
      identities,
      base: { values: sharedValues(this.#weights.values), sizeBytes: this.#weightsFile.length },
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
      rootUpdate: () => this.#rootUpdate(config),
      commit: async (mean) => {
        const { weights, state } = await steppedWeights({
          plan: rules.plan,
          strategy: this.#task.strategy,
          base: this.#weights,
          mean,
          before: () => Promise.resolve(this.#state),
          model: () => Promise.resolve(bindWeights(this.#task.trainingGraph, this.#weights)),
        });
        this.#evaluation = await this.#evaluated(weights);
        this.#trust = mean.trust;
        this.#weights = weights;
        this.#weightsFile = parametersToSafetensors(weights);
        this.#state = isEmptyState(state) ? undefined : state;
        this.#version += 1;
        this.#committed += 1;
        return asModelVersion(this.#version);
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
    await round.run(signal);
    const row = this.#row(config, round, startMs);
    const { targetAccuracy } = this.#options;
    if (targetAccuracy !== undefined && (row.accuracy ?? -1) >= targetAccuracy) {
      this.#roundsToTarget = this.#committed;
    }
    return row;
  }

  /** As a device with the trusted examples would train. */
  async #rootUpdate({ roundId, trainingRound }: RoundConfig): Promise<Float32Array> {
    const { weightCount, plan } = this.#task.rules;
    const { epochs, learningRate, learningRateSchedule = { kind: "constant" }, maxExamples } = plan.local;
    const update = await this.#means.pool.rootUpdate({
      values: sharedValues(this.#weights.values),
      version: this.#version,
      epochs,
      learningRate: learningRateAt(learningRate, learningRateSchedule, trainingRound ?? 1),
      maxExamples,
      seed: `${this.#options.seed}/${roundId}`,
    });
    return update.subarray(0, weightCount);
  }

  async #evaluated(weights: ParameterSet): Promise<EvaluationResult | undefined> {
    const { heldOut, evaluateEvery = 1 } = this.#options;
    const number = this.#committed + 1;
    if (heldOut === undefined || (number % evaluateEvery !== 0 && number !== this.#rounds)) return undefined;
    const { spec } = this.#task.graphs.evaluation;
    return evaluationResult(spec, await this.#means.pool.evaluate(sharedValues(weights.values)));
  }

  #row(config: RoundConfig, round: SimulatedRound, startMs: number): RoundRow {
    const { state, bytesUp, bytesDown } = round;
    const { rules } = this.#task;
    const committed = state.phase === "committed";
    const { loss, accuracy, examples } = summarizeTraining(round.metrics);
    const nowMs = this.#clock.monotonicMs();
    return {
      round: config.round,
      roundId: config.roundId,
      phase: committed ? "committed" : "abandoned",
      reason: state.phase === "abandoned" ? state.code : null,
      version: committed ? state.version : null,
      ...roundCounts(state),
      declines: round.declines,
      secure: rules.secure !== null,
      numExamples: examples,
      trainLoss: loss,
      trainAccuracy: rules.plan.training.spec.noHits === true ? null : accuracy,
      loss: this.#evaluation?.loss ?? null,
      accuracy: this.#evaluation?.accuracy ?? null,
      metrics: this.#evaluation?.metrics ?? {},
      trust: this.#trust ?? null,
      seconds: (nowMs - startMs) / 1000,
      clockSeconds: nowMs / 1000,
      bytesUp,
      bytesDown,
      weightsDigest: sha256(this.#weightsFile),
    };
  }

  /** As long as the task says. */
  async #pause(): Promise<void> {
    const { pauseBetweenRoundsMs } = this.#task.spec;
    if (pauseBetweenRoundsMs === 0) return;
    let over = false;
    this.#clock.schedule(pauseBetweenRoundsMs, () => void (over = true));
    while (!over) await this.#clock.runNext();
  }
}
