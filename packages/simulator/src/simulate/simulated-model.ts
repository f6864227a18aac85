import { encodeState, isEmptyState, type StrategyState } from "@tributary/aggregation";
import { asModelVersion, sha256, type ModelVersion, type RoundId } from "@tributary/core";
import { evaluationResult, type EvaluationResult } from "@tributary/engine/evaluation";
import { steppedWeights, type RoundMean, type TrustSummary } from "@tributary/federation/aggregation";
import { bindWeights } from "@tributary/onnx";
import { learningRateAt } from "@tributary/protocol";
import { parametersToSafetensors, type ParameterSet } from "@tributary/tensor";
import type { PreparedTask } from "./prepare-task.ts";
import type { SharedWeights } from "./round-work.ts";
import type { SimulatedVersion } from "./simulate-options.ts";
import { sharedValues } from "./shared-table.ts";
import type { TrainingPool } from "./training-pool.ts";

export interface SimulatedModelOptions {
  readonly task: PreparedTask;
  readonly pool: TrainingPool;
  readonly seed: string;
  /** Whether the version that is made now is measured, by how many there will be. */
  readonly isMeasured: (versions: number) => boolean;
  readonly onVersion?: ((made: SimulatedVersion) => void) | undefined;
}

/** The model of a simulation: its newest version, and how the next is made. */
export class SimulatedModel {
  readonly #options: SimulatedModelOptions;
  /** Versions that devices may still be at, the newest among them. */
  readonly #shared = new Map<ModelVersion, SharedWeights>();
  #weights: ParameterSet;
  #state: StrategyState | undefined;
  /** What rounding left out of its steps. */
  #residual: ParameterSet | undefined;
  #version = 1;
  /** Of the newest version, where it was measured. */
  evaluation: EvaluationResult | undefined;
  /** How the updates it was made of compared with the server's own. */
  trust: TrustSummary | undefined;

  constructor(options: SimulatedModelOptions) {
    this.#options = options;
    this.#weights = options.task.weights;
    this.#share();
  }

  get version(): ModelVersion {
    return asModelVersion(this.#version);
  }

  get weights(): ParameterSet {
    return this.#weights;
  }

  /** A version that was kept. */
  shared(version: ModelVersion): SharedWeights {
    return this.#shared.get(version)!;
  }

  /** Forgets all versions but these and the newest. */
  keep(versions: readonly ModelVersion[]): void {
    const kept = new Set([...versions, this.version]);
    for (const version of this.#shared.keys()) if (!kept.has(version)) this.#shared.delete(version);
  }

  /** What is known of the newest version is not of the next. */
  begin(): void {
    this.evaluation = undefined;
    this.trust = undefined;
  }

  /** As ONNX. */
  model(): Uint8Array<ArrayBuffer> {
    return bindWeights(this.#options.task.graph, this.#weights);
  }

  /** The server's own update, as a device with the trusted examples would train: weights, in the layout's order. */
  async rootUpdate(roundId: RoundId, trainingRound: number): Promise<Float32Array> {
    const { task, pool, seed } = this.#options;
    const { weightCount, plan } = task.rules;
    const { epochs, learningRate, learningRateSchedule = { kind: "constant" }, maxExamples } = plan.local;
    const update = await pool.rootUpdate({
      values: this.shared(this.version).values,
      version: this.#version,
      epochs,
      learningRate: learningRateAt(learningRate, learningRateSchedule, trainingRound),
      maxExamples,
      seed: `${seed}/${roundId}`,
    });
    return update.subarray(0, weightCount);
  }

  /** Makes the next version. @throws `aggregation/*`, `round/*` */
  async commit(mean: RoundMean): Promise<ModelVersion> {
    const { task, isMeasured, pool, onVersion } = this.#options;
    const { stepPrecision } = task.spec;
    const { weights, state, rounded } = await steppedWeights({
      plan: task.rules.plan,
      strategy: task.strategy,
      base: this.#weights,
      mean,
      baseVersion: this.#version,
      // Versions begin at 1: so many steps were made.
      trainingRound: this.#version,
      before: () => Promise.resolve(this.#state),
      model: () => Promise.resolve(bindWeights(task.trainingGraph, this.#weights)),
      ...(stepPrecision === "float32"
        ? {}
        : { rounding: { precision: stepPrecision, residual: () => Promise.resolve(this.#residual) } }),
    });
    this.#residual = rounded?.residual;
    this.evaluation = isMeasured(this.#version)
      ? evaluationResult(task.graphs.evaluation.spec, await pool.evaluate(sharedValues(weights.values)))
      : undefined;
    this.trust = mean.trust;
    this.#weights = weights;
    this.#state = isEmptyState(state) ? undefined : state;
    this.#version += 1;
    this.#share();
    onVersion?.({ version: this.#version, weights, steps: rounded?.steps });
    return this.version;
  }

  #share(): void {
    const file = parametersToSafetensors(this.#weights);
    const values = sharedValues(this.#weights.values);
    const { version } = this;
    const { task } = this.#options;
    const { controlVariates } = task.rules.plan;
    const control =
      controlVariates === undefined || this.#state === undefined
        ? {}
        : { control: encodeState(task.strategy.choice.name, this.#state) };
    const shared = { version, values, digest: sha256(file), sizeBytes: file.length };
    this.#shared.set(version, { ...shared, ...control });
  }
}
