import type { TrainingGraphDocument } from "@tributary/protocol";
import type { ParameterSet, Tensor } from "@tributary/tensor";
import { exampleRuns, type LabelledValues } from "../batches.ts";
import type { Feeds, Session } from "../engine.ts";
import { dropoutMasks } from "./dropout-masks.ts";
import { graphWeights } from "./graph-weights.ts";
import { pick, type BatchCut } from "./micro-batches.ts";
import type { TrainingPace } from "./training-state.ts";

export interface MeasureLossRequest {
  readonly session: Session;
  readonly spec: TrainingGraphDocument;
  readonly base: ParameterSet;
  /** Weights by the graph's inputs; left out: the base weights. */
  readonly trained?: Readonly<Record<string, Tensor>> | undefined;
  readonly examples: readonly LabelledValues[];
  readonly order: readonly number[];
  readonly pace?: TrainingPace | undefined;
  /** Measures parts of batches, by their graph. */
  readonly cut?: BatchCut | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Means over examples. */
export interface MeasuredLoss {
  readonly loss: number;
  readonly accuracy: number;
}

/**
 * What weights make of examples, by the training graph itself at a learning rate of 0: nothing is dropped, and no step is taken. A graph
 * that takes several batches in a run measures each at the same weights. With batch statistics they are those of each batch.
 */
export async function measureLoss(request: MeasureLossRequest): Promise<MeasuredLoss> {
  const { base, trained, examples, order, pace, cut, signal } = request;
  const { session, spec } = (await cut?.part(signal)) ?? request;
  const { carried, fixed } = graphWeights(spec, base, 0);
  const own = pick(
    trained ?? {},
    [...spec.parameters, ...(spec.state ?? [])].map(({ input }) => input),
  );
  const weights = { ...carried, ...own, ...fixed, ...dropoutMasks(spec) };
  const outputs = [spec.lossSum, spec.correct];
  let [lossSum, correct] = [0, 0];
  for (const run of exampleRuns(spec, (index) => examples[index]!, order, pace?.maxSteps())) {
    signal?.throwIfAborted();
    const work = () => session.run({ ...weights, ...run.feeds }, { outputs });
    const inTurn = async (): Promise<Feeds> => {
      if (cut !== undefined) return await cut.run(spec.batchSize, work, signal);
      return pace === undefined ? await work() : await pace.run(run.steps, work, signal);
    };
    const results = await inTurn();
    lossSum += Number(results[spec.lossSum]!.data[0]);
    correct += Number(results[spec.correct]!.data[0]);
  }
  return { loss: lossSum / order.length, accuracy: correct / order.length };
}
