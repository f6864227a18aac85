import { failure, type SeededRandom } from "@tributary/core";
import type { TrainingGraphDocument, UpdateLayout } from "@tributary/protocol";
import { allFinite, type ParameterSet, type Tensor } from "@tributary/tensor";
import { exampleRuns, type LabelledValues } from "../batches.ts";
import type { Session } from "../engine.ts";
import { dropoutMasks } from "./dropout-masks.ts";
import { graphWeights } from "./graph-weights.ts";
import { updateOf } from "./update-of.ts";

export interface TrainRequest {
  /** Session of the training graph. May be shared: it keeps no state between runs. */
  readonly session: Session;
  readonly spec: TrainingGraphDocument;
  /** Of the plan: what the update holds. */
  readonly layout: UpdateLayout;
  /** The round's base weights, exactly as released. */
  readonly base: ParameterSet;
  readonly examples: readonly LabelledValues[];
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
  /** Mean loss of the batches since the last report: of one, or of those that one run of the graph takes. */
  readonly loss: number;
}

export interface TrainResult {
  /** trained - base, as the layout orders it. */
  readonly update: Float32Array<ArrayBuffer>;
  readonly numExamples: number;
  /** Over the last epoch: each example's loss before the step it was part of. */
  readonly lossSum: number;
  readonly correct: number;
  readonly steps: number;
}

/**
 * Local training: `epochs` passes of minibatches, stepped by the graph's own optimizer. Weights and the optimizer's state
 * go from run to run as the graph's outputs; each output owns its memory, because an engine that wrote into its own input
 * would train wrong silently.
 * @throws `federation/no-examples`, `federation/training-diverged`, `runtime/invalid-example`, `engine/*`, or
 *   `signal.reason` between two runs
 */
export async function train(request: TrainRequest): Promise<TrainResult> {
  const { session, spec, layout, base, examples, epochs, random, signal } = request;
  if (examples.length === 0) {
    throw failure("federation/no-examples", "learner: there are no labelled examples on this device");
  }
  const order = shuffledOrder(examples.length, random).slice(0, request.maxExamples);
  const steps = Math.ceil(order.length / spec.batchSize) * epochs;
  const weights = graphWeights(spec, base, request.learningRate);
  const stepped = [...spec.parameters, ...(spec.state ?? [])];
  // Metrics are for evaluation.
  const outputs = [spec.lossSum, spec.correct, ...stepped.map(({ output }) => output)];
  let carried = weights.carried;
  let lossSum = 0;
  let correct = 0;
  let step = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    lossSum = correct = 0;
    random.shuffle(order);
    for (const run of exampleRuns(spec, (index) => examples[index]!, order)) {
      signal?.throwIfAborted();
      const masks = dropoutMasks(spec, random);
      const results = await session.run(
        { ...carried, ...weights.fixed, ...masks, ...run.feeds },
        { outputs },
      );
      const next: Record<string, Tensor> = {};
      for (const { input, output } of stepped) next[input] = results[output]!;
      carried = next;
      const loss = Number(results[spec.lossSum]!.data[0]);
      lossSum += loss;
      correct += Number(results[spec.correct]!.data[0]);
      step += run.steps;
      request.onProgress?.({ step, steps, loss: loss / run.count });
    }
  }
  signal?.throwIfAborted();
  const update = updateOf(layout, spec, base, carried);
  if (!allFinite(update) || !Number.isFinite(lossSum)) {
    throw failure(
      "federation/training-diverged",
      `learner: weights or loss are not finite after ${steps} steps; the learning rate ${request.learningRate} may be too high`,
      { detail: { steps, learningRate: request.learningRate } },
    );
  }
  return { update, numExamples: order.length, lossSum, correct, steps };
}

/** A random order of all examples. */
export function shuffledOrder(count: number, random: SeededRandom): number[] {
  return random.shuffle(Array.from({ length: count }, (_, i) => i));
}
