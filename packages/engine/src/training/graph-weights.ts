import type { TrainingGraphDocument } from "@tributary/protocol";
import { elementCount, parameterView, tensor, type ParameterSet, type Tensor } from "@tributary/tensor";
import { dropoutMasks } from "./dropout-masks.ts";
import { startValues } from "./update-of.ts";

/** What a training graph is fed besides examples, as it begins from the base weights. */
export interface GraphWeights {
  /** Weights and the optimizer's state: what goes from step to step. */
  readonly carried: Readonly<Record<string, Tensor>>;
  /** The same in every step. */
  readonly fixed: Readonly<Record<string, Tensor>>;
}

export function graphWeights(
  spec: TrainingGraphDocument,
  base: ParameterSet,
  learningRate: number,
): GraphWeights {
  const carried: Record<string, Tensor> = {};
  for (const parameter of spec.parameters) {
    carried[parameter.input] = tensor("float32", [...parameter.shape], startValues(base, parameter));
  }
  for (const { shape, input } of spec.state ?? []) {
    carried[input] = tensor("float32", [...shape], new Float32Array(elementCount(shape)));
  }
  const { name: rate, shape: rateShape } = spec.learningRate;
  const fixed: Record<string, Tensor> = {
    [rate]: tensor("float32", [...rateShape], Float32Array.of(learningRate)),
  };
  for (const { name, shape, input } of spec.frozen ?? []) {
    fixed[input] = tensor("float32", [...shape], parameterView(base, name));
  }
  // Once more, for the inputs that a proximal term measures the distance to.
  for (const [i, { name, shape }] of (spec.baseParameters ?? []).entries()) {
    fixed[name] = tensor("float32", [...shape], startValues(base, spec.parameters[i]!));
  }
  return { carried, fixed };
}

/** Makes a step of plain descent as large as its gradient shows in the new weights; a power of two. */
const PROBE_RATE = 1024;

/**
 * Weights for the check of one engine against another: what is compared has to show the gradients. Plain descent shows
 * them at a large learning rate; an optimizer with a state shows them there, and the weights stay as they are.
 */
export function checkedWeights(
  spec: TrainingGraphDocument,
  base: ParameterSet,
): Readonly<Record<string, Tensor>> {
  const { carried, fixed } = graphWeights(spec, base, spec.state === undefined ? PROBE_RATE : 0);
  return { ...carried, ...fixed, ...dropoutMasks(spec) };
}

/** The outputs of one form of a training graph by the names that another form has for them. */
export function matchingOutputs(
  reference: TrainingGraphDocument,
  other: TrainingGraphDocument,
): Readonly<Record<string, string>> {
  const names: Record<string, string> = {
    [reference.lossSum]: other.lossSum,
    [reference.correct]: other.correct,
  };
  const match = (
    ours: readonly { readonly name: string; readonly output: string }[],
    theirs: readonly { readonly name: string; readonly output: string }[],
  ): void => {
    const byName = new Map(theirs.map(({ name, output }) => [name, output]));
    for (const { name, output } of ours) names[output] = byName.get(name) ?? output;
  };
  match(reference.parameters, other.parameters);
  match(reference.state ?? [], other.state ?? []);
  match(reference.metrics ?? [], other.metrics ?? []);
  return names;
}
