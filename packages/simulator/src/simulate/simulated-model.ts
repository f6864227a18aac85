import { isEmptyState, type StrategyState } from "@tributary/aggregation";
import { asModelVersion, sha256, type Digest, type ModelVersion, type RoundId } from "@tributary/core";
import { evaluationResult, type EvaluationResult } from "@tributary/engine/evaluation";
import { steppedWeights, type RoundMean, type TrustSummary } from "@tributary/federation/aggregation";
import { bindWeights } from "@tributary/onnx";
import { learningRateAt } from "@tributary/protocol";
import { parametersToSafetensors, type ParameterSet } from "@tributary/tensor";
import type { PreparedTask } from "./prepare-task.ts";
import { sharedValues } from "./shared-table.ts";
import type { TrainingPool } from "./training-pool.ts";

export interface SimulatedModelOptions {
  readonly task: PreparedTask;
  readonly pool: TrainingPool;
  readonly seed: string;
  /** Whether the version that is made now is measured, by how many there will be. */
  readonly isMeasured: (versions: number) => boolean;
}

/** The model of a simulation: its newest version, and how the next is made. */
export class SimulatedModel {
  readonly #options: SimulatedModelOptions;
  #weights: ParameterSet;
  #file: Uint8Array<ArrayBuffer>;
  #state: StrategyState | undefined;
  #version = 1;
  /** Of the newest version, where it was measured. */
  evaluation: EvaluationResult | undefined;
  /** How the updates it was made of compared with the server's own. */
  trust: TrustSummary | undefined;

  constructor(options: SimulatedModelOptions) {
    this.#options = options;
    this.#weights = options.task.weights;
    this.#file = parametersToSafetensors(options.task.weights);
  }

  get version(): ModelVersion {
    return asModelVersion(this.#version);
  }

  get weights(): ParameterSet {
    return this.#weights;
  }

  /** Of the weights as safetensors. */
  get weightsDigest(): Digest {
    return sha256(this.#file);
  }

  get sizeBytes(): number {
    return this.#file.length;
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
      values: sharedValues(this.#weights.values),
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
    const { task, isMeasured, pool } = this.#options;
    const { weights, state } = await steppedWeights({
      plan: task.rules.plan,
      strategy: task.strategy,
      base: this.#weights,
      mean,
      before: () => Promise.resolve(this.#state),
      model: () => Promise.resolve(bindWeights(task.trainingGraph, this.#weights)),
    });
    this.evaluation = isMeasured(this.#version)
      ? evaluationResult(task.graphs.evaluation.spec, await pool.evaluate(sharedValues(weights.values)))
      : undefined;
    this.trust = mean.trust;
    this.#weights = weights;
    this.#file = parametersToSafetensors(weights);
    this.#state = isEmptyState(state) ? undefined : state;
    this.#version += 1;
    return this.version;
  }
}
