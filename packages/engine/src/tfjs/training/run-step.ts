import type { TfjsEvaluationStep, TfjsStep, TfjsTrainingStep } from "@tributary/protocol";
import * as tf from "@tensorflow/tfjs";
import type { LoadedStep } from "./load-step.ts";
import { hitsOf, lossOf, metricOf, type LossInputs } from "./step-losses.ts";
import { stepOf } from "./step-optimizer.ts";

type Fed = ReadonlyMap<string, tf.Tensor>;

/** What comes out by name, of what was asked for at least; the caller disposes of it, and of what was fed. */
export function runStep(
  loaded: LoadedStep,
  step: TfjsStep,
  fed: Fed,
  asked: ReadonlySet<string>,
): ReadonlyMap<string, tf.Tensor> {
  const results = tf.tidy(() => {
    for (const { name, input } of [
      ...step.spec.parameters,
      ...(step.kind === "train" ? (step.spec.frozen ?? []) : []),
    ]) {
      loaded.variables.get(name)!.assign(fed.get(input)!);
    }
    return Object.fromEntries(
      step.kind === "train" ? train(loaded, step, fed, asked) : evaluate(loaded, step, fed),
    );
  });
  return new Map(Object.entries(results));
}

function evaluate(loaded: LoadedStep, step: TfjsEvaluationStep, fed: Fed): Map<string, tf.Tensor> {
  const inputs = forward(loaded, step, fed);
  const results = measured(step, inputs);
  for (const metric of step.metrics) {
    results.set(metric.output, metricOf(metric, step.losses[metric.loss]!, inputs[metric.loss]!));
  }
  return results;
}

function train(
  loaded: LoadedStep,
  step: TfjsTrainingStep,
  fed: Fed,
  asked: ReadonlySet<string>,
): Map<string, tf.Tensor> {
  const { spec } = step;
  const { parameters, state = [], dropouts = [] } = spec;
  loaded.masks = new Map(dropouts.map(({ input }) => [input, fed.get(input)!]));
  if (![...parameters, ...state].some(({ output }) => asked.has(output))) {
    return measured(step, forward(loaded, step, fed));
  }
  const moved = new Set(step.movedStatistics);
  const learned = parameters.filter(({ name }) => !moved.has(name));
  const variables = learned.map(({ name }) => loaded.variables.get(name)!);
  const results = new Map<string, tf.Tensor>();
  const grads = gradientsOf(variables, results, () => {
    const inputs = forward(loaded, step, fed);
    for (const [name, value] of measured(step, inputs)) results.set(name, tf.keep(value));
    const terms = step.losses.map((loss, i) => tf.mul(lossOf(loss, inputs[i]!).mean, loss.weight));
    // What layers add to the loss by themselves, of their weights, as the model's own training would.
    return tf.addN([...terms, ...loaded.model.calculateLosses()]) as tf.Scalar;
  });
  const bases = new Map((spec.baseParameters ?? []).map(({ name }, i) => [parameters[i]!.name, name]));
  const stepped = stepOf(
    step,
    learned.map(({ name, input }, i) => ({
      name,
      value: fed.get(input)!,
      gradient: grads[variables[i]!.name] ?? null,
    })),
    {
      learningRate: fed.get(spec.learningRate.name) as tf.Scalar,
      bases: learned.flatMap(({ name }) => fed.get(bases.get(name) ?? "") ?? []),
      offsets: (spec.gradientOffsets ?? []).map(({ input }) => fed.get(input)!),
      state: new Map(state.map(({ name, input }) => [name, fed.get(input)!])),
    },
  );
  for (const [i, { output }] of learned.entries()) results.set(output, tf.clone(stepped.weights[i]!));
  for (const { name, output } of parameters) {
    if (moved.has(name)) results.set(output, tf.clone(loaded.variables.get(name)!));
  }
  for (const { name, input, output } of state) {
    results.set(output, tf.clone(stepped.state.get(name) ?? fed.get(input)!));
  }
  return results;
}

/** By the variable's name. @param kept what `loss` leaves for later */
function gradientsOf(
  variables: tf.Variable[],
  kept: ReadonlyMap<string, tf.Tensor>,
  loss: () => tf.Scalar,
): tf.NamedTensorMap {
  try {
    return tf.variableGrads(loss, variables).grads;
  } catch (error) {
    // What the tape saved for the way back, TensorFlow.js itself disposes of behind it.
    const { activeTape } = tf.engine().state as { readonly activeTape?: readonly TapeNode[] | null };
    tf.dispose([...kept.values(), ...(activeTape ?? []).flatMap(({ saved = [] }) => saved)]);
    throw error;
  }
}

interface TapeNode {
  readonly saved?: readonly tf.Tensor[];
}

/** What each loss reads of the batch. */
function forward(
  { model, outputs }: LoadedStep,
  { spec, losses }: TfjsStep,
  fed: Fed,
): readonly LossInputs[] {
  const given = (spec.inputs ?? [spec.features]).map(({ name }) => fed.get(name)!);
  const all = [model.apply(given.length === 1 ? given[0]! : given)].flat() as tf.Tensor[];
  const weights = fed.get(spec.sampleWeights.name) as tf.Tensor1D;
  return losses.map(({ output, labels }) => ({
    output: all[outputs.indexOf(output)]!,
    labels: fed.get(labels)!,
    weights,
  }));
}

/** The weighted sum of the losses, and the hits of the first that knows any. */
function measured({ spec, losses }: TfjsStep, inputs: readonly LossInputs[]): Map<string, tf.Tensor> {
  const sums = losses.map((loss, i) => tf.mul(lossOf(loss, inputs[i]!).sum, loss.weight));
  const hits = losses.map((loss, i) => hitsOf(loss, inputs[i]!)).find((each) => each !== undefined);
  return new Map([
    [spec.lossSum, tf.addN(sums)],
    [spec.correct, hits ?? tf.scalar(0)],
  ]);
}
