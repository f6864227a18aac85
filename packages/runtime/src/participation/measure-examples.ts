import type { Session } from "@tributary/engine";
import { exampleRuns } from "@tributary/engine/batches";
import type { TrainingPace } from "@tributary/engine/training";
import type { MeasuredExample } from "@tributary/metrics";
import type { EvaluationGraphDocument } from "@tributary/protocol";
import { parameterView, tensor, type ParameterSet, type Tensor } from "@tributary/tensor";
import type { StoredExample } from "../store/device-store.ts";

/**
 * What weights make of examples, one by one.
 *
 * @param order which examples, and in which order
 * @throws `runtime/invalid-example`, `engine/*`, or `signal.reason` between two runs
 */
export async function measureExamples(options: {
  readonly session: Session;
  /** Of batches of one. */
  readonly spec: EvaluationGraphDocument;
  readonly weights: ParameterSet;
  readonly examples: readonly StoredExample[];
  readonly order: readonly number[];
  readonly signal: AbortSignal;
  readonly pace?: TrainingPace;
}): Promise<readonly MeasuredExample[]> {
  const { session, spec, examples, order, signal, pace } = options;
  const weights = evaluationWeights(spec, options.weights);
  const outputs = [spec.lossSum, spec.correct];
  const measured: MeasuredExample[] = [];
  for (const run of exampleRuns(spec, (index) => examples[index]!, order)) {
    signal.throwIfAborted();
    const work = () => session.run({ ...weights, ...run.feeds }, { outputs });
    const result = pace === undefined ? await work() : await pace.run(run.steps, work, signal);
    measured.push({
      loss: Number(result[spec.lossSum]!.data[0]),
      correct: Number(result[spec.correct]!.data[0]) >= 0.5,
    });
  }
  return measured;
}

export function evaluationWeights(
  spec: EvaluationGraphDocument,
  weights: ParameterSet,
): Readonly<Record<string, Tensor>> {
  return Object.fromEntries(
    spec.parameters.map(({ name, shape, input }) => [
      input,
      tensor("float32", [...shape], parameterView(weights, name)),
    ]),
  );
}
