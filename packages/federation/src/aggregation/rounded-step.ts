import {
  applyQuantizedStep,
  parameterSet,
  parameterView,
  quantizeStep,
  type ParameterSchema,
  type ParameterSet,
  type QuantizedStep,
  type StepPrecision,
} from "@tributary/tensor";

/** How a task's steps are rounded. */
export interface StepRounding {
  readonly precision: StepPrecision;
  /** What rounding left out of the steps before, over the weights of a schema; undefined where there is none. */
  readonly residual: (schema: ParameterSchema) => Promise<ParameterSet | undefined>;
}

/** A step of which devices get integers and scales. */
export interface RoundedStep {
  /** After the step; of its schema. */
  readonly weights: ParameterSet;
  /** By parameter. */
  readonly steps: ReadonlyMap<string, QuantizedStep>;
  /** What is still to be stepped: part of the optimizer's state. */
  readonly residual: ParameterSet;
}

/**
 * Rounds a step with error feedback (Seide et al. 2014; Karimireddy et al. 2019, https://arxiv.org/abs/1901.09847): what rounding
 * leaves out is added to the next step, so that over rounds nothing is lost.
 */
export async function roundStep(
  base: ParameterSet,
  step: ParameterSet,
  { precision, residual }: StepRounding,
): Promise<RoundedStep> {
  const { schema } = step;
  const rest = (await residual(schema))?.values.slice() ?? new Float32Array(step.values.length);
  for (let i = 0; i < rest.length; i++) rest[i] = rest[i]! + step.values[i]!;
  const left = parameterSet(schema, rest);
  const weights = parameterSet(schema, base.values.slice());
  const steps = new Map<string, QuantizedStep>();
  for (const { name, shape } of schema) {
    const wanted = parameterView(left, name);
    const rounded = quantizeStep(wanted, shape, precision);
    applyQuantizedStep(parameterView(weights, name), rounded);
    const inner = wanted.length / rounded.scales.length;
    for (let i = 0; i < wanted.length; i++) {
      wanted[i] = wanted[i]! - Math.fround(rounded.scales[Math.floor(i / inner)]! * rounded.values[i]!);
    }
    steps.set(name, rounded);
  }
  return { weights, steps, residual: left };
}
