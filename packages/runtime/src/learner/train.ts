import { failure, type SeededRandom } from "@tributary/core";
import type { Session } from "@tributary/engine";
import type { TrainingGraphDocument } from "@tributary/protocol";
import {
  allFinite,
  elementCount,
  parameterSet,
  parameterView,
  subtract,
  tensor,
  type ParameterSet,
  type Tensor,
} from "@tributary/tensor";
import type { StoredExample } from "../store/device-store.ts";
import { batchesOf, shuffledOrder } from "./batches.ts";

export interface TrainRequest {
  /** Session of the training graph. May be shared: it keeps no state between runs. */
  readonly session: Session;
  readonly spec: TrainingGraphDocument;
  /** The round's base weights, exactly as released. */
  readonly base: ParameterSet;
  readonly examples: readonly StoredExample[];
  readonly epochs: number;
  readonly learningRate: number;
  /** Most examples used; a random part of them beyond. */
  readonly maxExamples: number;
  readonly random: SeededRandom;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: TrainProgress) => void;
}

export interface TrainProgress {
  /** Steps done, of all epochs. */
  readonly step: number;
  readonly steps: number;
  /** Mean loss of the batch. */
  readonly loss: number;
}

export interface TrainResult {
  /** trained - base, in the base's schema order. */
  readonly update: Float32Array<ArrayBuffer>;
  readonly numExamples: number;
  /** Over the last epoch: each example's loss before the step it was part of. */
  readonly lossSum: number;
  readonly correct: number;
  readonly steps: number;
}

/**
 * Local training: `epochs` passes in minibatches, each a step of the graph's optimizer. Weights and the optimizer's state
 * go from step to step as the graph's outputs; each output owns its memory, because an engine that wrote into its own input would train wrong silently.
 * @throws `federation/no-examples`, `federation/training-diverged`, `runtime/invalid-example`, `engine/*`, or
 *   `signal.reason` between two steps
 */
export async function train(request: TrainRequest): Promise<TrainResult> {
  const { session, spec, base, epochs, random, signal } = request;
  if (request.examples.length === 0) {
    throw failure("federation/no-examples", "learner: there are no labelled examples on this device");
  }
  const order = shuffledOrder(request.examples.length, random).slice(0, request.maxExamples);
  const stepsPerEpoch = Math.ceil(order.length / spec.batchSize);
  const steps = stepsPerEpoch * epochs;
  const batchOptions = {
    examples: request.examples,
    batchSize: spec.batchSize,
    featureLength: elementCount(spec.features.shape.slice(1)),
  };
  const learningRate = tensor("float32", [...spec.learningRate.shape], Float32Array.of(request.learningRate));
  // Weights and the local optimizer's state: what goes from step to step.
  const carried = [...spec.parameters, ...(spec.state ?? [])];
  const fixed = baseFeeds(spec, base);
  let weights: Record<string, Tensor> = {};
  for (const { name, shape, input } of spec.parameters) {
    weights[input] = tensor("float32", [...shape], parameterView(base, name));
  }
  for (const { shape, input } of spec.state ?? []) {
    weights[input] = tensor("float32", [...shape], new Float32Array(elementCount(shape)));
  }
  let lossSum = 0;
  let correct = 0;
  let step = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    lossSum = correct = 0;
    random.shuffle(order);
    for (const batch of batchesOf(batchOptions, order)) {
      signal?.throwIfAborted();
      const outputs = await session.run({
        ...weights,
        ...fixed,
        [spec.features.name]: tensor("float32", [...spec.features.shape], batch.features),
        [spec.labels.name]: tensor("int32", [...spec.labels.shape], batch.labels),
        [spec.sampleWeights.name]: tensor("float32", [...spec.sampleWeights.shape], batch.weights),
        [spec.learningRate.name]: learningRate,
      });
      const next: Record<string, Tensor> = {};
      for (const { input, output } of carried) next[input] = outputs[output]!;
      weights = next;
      const batchLoss = Number(outputs[spec.lossSum]!.data[0]);
      lossSum += batchLoss;
      correct += Number(outputs[spec.correct]!.data[0]);
      step += 1;
      request.onProgress?.({ step, steps, loss: batchLoss / batch.count });
    }
  }
  signal?.throwIfAborted();
  // A parameter that the plan does not train keeps its value.
  const trained = parameterSet(base.schema, base.values.slice());
  for (const { name, input } of spec.parameters) {
    parameterView(trained, name).set(weights[input]!.data as Float32Array);
  }
  const update = subtract(trained.values, base.values);
  if (!allFinite(update) || !Number.isFinite(lossSum)) {
    throw failure(
      "federation/training-diverged",
      `learner: weights or loss are not finite after ${steps} steps; the learning rate ${request.learningRate} may be too high`,
      { detail: { steps, learningRate: request.learningRate } },
    );
  }
  return { update, numExamples: order.length, lossSum, correct, steps };
}

/** The base weights once more, for the inputs that a proximal term measures the distance to. */
function baseFeeds(spec: TrainingGraphDocument, base: ParameterSet): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  spec.baseParameters?.forEach(({ name, shape }, i) => {
    feeds[name] = tensor("float32", [...shape], parameterView(base, spec.parameters[i]!.name));
  });
  return feeds;
}
