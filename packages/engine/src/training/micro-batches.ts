/** A batch trained on in parts: the mean of their gradients, then one step of the optimizer. */
import type { OptimizerStepDocument, TrainingGraphDocument } from "@tributary/protocol";
import { tensor, type Tensor } from "@tributary/tensor";
import { exampleRuns, type LabelledValues } from "../batches.ts";
import type { Feeds, Session } from "../engine.ts";

/** A graph, and how it is fed. */
export interface OpenGraph<Spec> {
  readonly session: Session;
  readonly spec: Spec;
}

/** Cuts batches, and says how far. */
export interface BatchCut {
  readonly step: OpenGraph<OptimizerStepDocument>;
  /** The graph for the next batch's parts; undefined: it is taken whole. */
  part(signal?: AbortSignal): Promise<OpenGraph<TrainingGraphDocument> | undefined>;
  /**
   * Runs `work` when it may begin.
   *
   * @param examples in it; 0: the optimizer's step
   * @throws `signal.reason` while it waits
   */
  run<T>(examples: number, work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

/** What one batch made. */
export interface BatchResult {
  readonly lossSum: number;
  readonly correct: number;
  /** Weights and the optimizer's state, by the graph's inputs. */
  readonly carried: Readonly<Record<string, Tensor>>;
}

export interface CutBatch {
  readonly cut: BatchCut;
  readonly part: OpenGraph<TrainingGraphDocument>;
  readonly example: (index: number) => LabelledValues;
  /** Those of the batch. */
  readonly indices: readonly number[];
  readonly carried: Readonly<Record<string, Tensor>>;
  readonly fixed: Readonly<Record<string, Tensor>>;
  /** Of the whole batch: each part takes its rows. */
  readonly masks: Readonly<Record<string, Tensor>>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * What the whole step makes of a batch, up to the rounding of float32 sums in another order.
 *
 * @throws `runtime/invalid-example`, `engine/*`, or `signal.reason` between two runs
 */
export async function stepInParts(batch: CutBatch): Promise<BatchResult> {
  const { cut, part, example, indices, carried, fixed, signal } = batch;
  const { spec, session } = part;
  const { spec: stepSpec } = cut.step;
  const learned = new Set(stepSpec.gradients.map(({ name }) => name));
  const sources = spec.parameters.filter(({ name }) => learned.has(name));
  const means = new Map(sources.map(({ name, shape }) => [name, emptyMean(shape)]));
  const outputs = [spec.lossSum, spec.correct, ...sources.map(({ output }) => output)];
  const weights = pick({ ...carried, ...fixed }, partInputs(spec));
  let [lossSum, correct, at] = [0, 0, 0];
  for (const run of exampleRuns(spec, example, indices)) {
    signal?.throwIfAborted();
    const feeds = { ...weights, ...maskRows(spec, batch.masks, at, run.count), ...run.feeds };
    const results = await cut.run(run.count, () => session.run(feeds, { outputs }), signal);
    lossSum += Number(results[spec.lossSum]!.data[0]);
    correct += Number(results[spec.correct]!.data[0]);
    const share = run.count / indices.length;
    for (const { name, output } of sources) {
      addShare(means.get(name)!, results[output]!.data as Float32Array, share);
    }
    at += run.count;
  }
  signal?.throwIfAborted();
  const feeds: Record<string, Tensor> = { ...pick({ ...carried, ...fixed }, stepInputs(stepSpec)) };
  for (const { name, shape, input } of stepSpec.gradients) {
    feeds[input] = tensor("float32", [...shape], means.get(name)!);
  }
  const stepped = [...stepSpec.parameters, ...(stepSpec.state ?? [])];
  const work = () => cut.step.session.run(feeds, { outputs: stepped.map(({ output }) => output) });
  const results = await cut.run(0, work, signal);
  return {
    lossSum,
    correct,
    carried: Object.fromEntries(stepped.map(({ input, output }) => [input, results[output]!])),
  };
}

/** What a graph of gradients is fed besides examples and masks. */
export function partInputs(spec: TrainingGraphDocument): readonly string[] {
  return [spec.learningRate.name, ...[...spec.parameters, ...(spec.frozen ?? [])].map(({ input }) => input)];
}

/** Of feeds, those with these names. */
export function pick(feeds: Feeds, names: readonly string[]): Feeds {
  return Object.fromEntries(
    names.flatMap((name) => (feeds[name] === undefined ? [] : [[name, feeds[name]]])),
  );
}

function stepInputs(spec: OptimizerStepDocument): readonly string[] {
  const { learningRate, parameters, state = [], baseParameters = [], gradientOffsets = [] } = spec;
  return [
    learningRate.name,
    ...[...parameters, ...state, ...gradientOffsets].map(({ input }) => input),
    ...baseParameters.map(({ name }) => name),
  ];
}

function emptyMean(shape: readonly number[]): Float32Array<ArrayBuffer> {
  return new Float32Array(shape.reduce((product, size) => product * size, 1));
}

function addShare(mean: Float32Array, values: Float32Array, share: number): void {
  for (let i = 0; i < mean.length; i++) mean[i]! += values[i]! * share;
}

/** Rows `from` on of the batch's masks; rows that fill up the part repeat the last, and weigh nothing. */
function maskRows(
  { dropouts = [] }: TrainingGraphDocument,
  masks: Readonly<Record<string, Tensor>>,
  from: number,
  count: number,
): Readonly<Record<string, Tensor>> {
  return Object.fromEntries(
    dropouts.map(({ input, shape }) => {
      const [rows = 1, ...rest] = shape;
      const size = rest.reduce((product, each) => product * each, 1);
      const all = masks[input]!.data as Float32Array;
      const own = new Float32Array(rows * size);
      own.set(all.subarray(from * size, (from + count) * size));
      for (let row = count; row < rows; row++) own.copyWithin(row * size, (count - 1) * size, count * size);
      return [input, tensor("float32", [...shape], own)];
    }),
  );
}
