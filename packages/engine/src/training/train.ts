import { failure, type SeededRandom } from "@tributary/core";
import type { TrainingGraphDocument, UpdateLayout } from "@tributary/protocol";
import { allFinite, type ParameterSet, type Tensor } from "@tributary/tensor";
import { exampleRuns, type ExampleRun, type LabelledValues } from "../batches.ts";
import type { Feeds, Session } from "../engine.ts";
import { dropoutMasks } from "./dropout-masks.ts";
import { graphWeights } from "./graph-weights.ts";
import { stepInParts, type BatchCut, type BatchResult } from "./micro-batches.ts";
import type { TrainingPace, TrainingState } from "./training-state.ts";
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
  /** With control variates: what is added to the gradients, of each weight. */
  readonly offsets?: ParameterSet | undefined;
  /** Most examples used; a random part of them beyond. */
  readonly maxExamples: number;
  readonly random: SeededRandom;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: TrainProgress) => void;
  /** When runs may begin. @defaultValue one after the other */
  readonly pace?: TrainingPace | undefined;
  /** Cuts batches, and says when runs may begin instead of `pace`. @defaultValue batches are taken whole */
  readonly cut?: BatchCut | undefined;
  /** Goes on from a state of the same training: of equal examples, base weights and `random`, which is as it was at its begin. */
  readonly resume?: TrainingState | undefined;
  /** After each run. Nothing in it changes later. */
  readonly onState?: ((state: TrainingState) => void) | undefined;
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
  /** Mean loss of the first run, before any step. */
  readonly firstLoss: number;
  /** Weights and the optimizer's state, by the graph's inputs. */
  readonly trained: Readonly<Record<string, Tensor>>;
}

/**
 * Local training: `epochs` passes of minibatches, stepped by the graph's own optimizer. Weights and the optimizer's state
 * go from run to run as the graph's outputs; each output owns its memory, because an engine that wrote into its own input
 * would train wrong silently.
 * @throws `federation/no-examples`, `federation/training-diverged`, `runtime/invalid-example`, `engine/*`, or
 *   `signal.reason` between two runs
 */
export async function train(request: TrainRequest): Promise<TrainResult> {
  const { spec, layout, base, examples, epochs, random, signal, pace, cut } = request;
  if (examples.length === 0) {
    throw failure("federation/no-examples", "learner: there are no labelled examples on this device");
  }
  const order = shuffledOrder(examples.length, random).slice(0, request.maxExamples);
  const steps = Math.ceil(order.length / spec.batchSize) * epochs;
  const weights = graphWeights(spec, base, request.learningRate, request.offsets);
  // A stream of its own for each run: what goes on later draws the same masks.
  const masksOf = random.fork("dropout");
  let state = request.resume ?? initialState(weights.carried);
  for (let epoch = 0; epoch < epochs; epoch++) {
    random.shuffle(order);
    if (epoch < state.epoch) continue;
    if (epoch > state.epoch) state = { ...state, epoch, position: 0, lossSum: 0, correct: 0 };
    while (state.position < order.length) {
      signal?.throwIfAborted();
      const { position } = state;
      const left = order.slice(position);
      const run = exampleRuns(spec, (index) => examples[index]!, left, pace?.maxSteps()).next().value!;
      const masks = hasDropout(spec) ? dropoutMasks(spec, masksOf.fork(`${epoch} ${position}`)) : {};
      const part = await cut?.part(signal);
      const { lossSum, correct, carried } =
        cut !== undefined && part !== undefined
          ? await stepInParts({
              cut,
              part,
              example: (index) => examples[index]!,
              indices: left.slice(0, run.count),
              carried: state.carried,
              fixed: weights.fixed,
              masks,
              signal,
            })
          : await stepWhole(request, run, { ...state.carried, ...weights.fixed, ...masks, ...run.feeds });
      state = {
        epoch,
        position: position + run.count,
        step: state.step + run.steps,
        lossSum: state.lossSum + lossSum,
        correct: state.correct + correct,
        firstLoss: state.step === 0 ? lossSum / run.count : state.firstLoss,
        carried,
      };
      request.onState?.(state);
      request.onProgress?.({ step: state.step, steps, loss: lossSum / run.count });
    }
  }
  const { carried, lossSum, correct, firstLoss } = state;
  signal?.throwIfAborted();
  const update = updateOf(layout, spec, base, carried);
  if (!allFinite(update) || !Number.isFinite(lossSum)) {
    throw failure(
      "federation/training-diverged",
      `learner: weights or loss are not finite after ${steps} steps; the learning rate ${request.learningRate} may be too high`,
      { detail: { steps, learningRate: request.learningRate } },
    );
  }
  return { update, numExamples: order.length, lossSum, correct, steps, firstLoss, trained: carried };
}

/** One run of the training graph. */
async function stepWhole(
  { session, spec, pace, cut, signal }: TrainRequest,
  run: ExampleRun,
  feeds: Feeds,
): Promise<BatchResult> {
  const stepped = [...spec.parameters, ...(spec.state ?? [])];
  // Metrics are for evaluation.
  const outputs = [spec.lossSum, spec.correct, ...stepped.map(({ output }) => output)];
  const work = () => session.run(feeds, { outputs });
  const inTurn = async (): Promise<Feeds> => {
    if (cut !== undefined) return await cut.run(spec.batchSize, work, signal);
    return pace === undefined ? await work() : await pace.run(run.steps, work, signal);
  };
  const results = await inTurn();
  return {
    lossSum: Number(results[spec.lossSum]!.data[0]),
    correct: Number(results[spec.correct]!.data[0]),
    carried: Object.fromEntries(stepped.map(({ input, output }) => [input, results[output]!])),
  };
}

function initialState(carried: TrainingState["carried"]): TrainingState {
  return { epoch: 0, position: 0, step: 0, lossSum: 0, correct: 0, firstLoss: 0, carried };
}

function hasDropout({ dropouts = [] }: TrainingGraphDocument): boolean {
  return dropouts.length > 0;
}

/** A random order of all examples. */
export function shuffledOrder(count: number, random: SeededRandom): number[] {
  return random.shuffle(Array.from({ length: count }, (_, i) => i));
}
