import { applyStep, meanUpdate, type ChosenStrategy, type StrategyState } from "@tributary/aggregation";
import { failure } from "@tributary/core";
import { lowRankStep } from "@tributary/onnx";
import { learningRateAt, updateSchema, type Plan } from "@tributary/protocol";
import {
  allFinite,
  parameterSet,
  parameterView,
  type ParameterSchema,
  type ParameterSet,
} from "@tributary/tensor";
import { roundStep, type RoundedStep, type StepRounding } from "./rounded-step.ts";
import type { RoundMean } from "./update-sum.ts";

/**
 * What the server optimizer steps from: the weights that updates hold, at their base values, and adapters at zero,
 * where every round begins.
 */
export function optimizedWeights(plan: Plan, base: ParameterSet): ParameterSet {
  return selected(base, updateSchema(plan.update, "weight"));
}

/**
 * The weights of the next version: the optimizer's step, of adapters folded into the weights they belong to, rounded where the task
 * says so, and the mean change of the statistics, none of which falls below its minimum. What no update holds keeps its bits.
 */
export async function nextWeights(input: {
  readonly plan: Plan;
  readonly base: ParameterSet;
  /** Over the weights that updates hold. */
  readonly step: ParameterSet;
  /** Mean change of the statistics, in the layout's order. */
  readonly statistics: Float64Array;
  /** The model with the base weights; asked for where there are adapters. */
  readonly model: () => Promise<Uint8Array>;
  /** Undefined: the step is not rounded. */
  readonly rounding?: StepRounding | undefined;
}): Promise<{ readonly weights: ParameterSet; readonly rounded: RoundedStep | undefined }> {
  const { plan, base, step, statistics, model, rounding } = input;
  const { adapters, update } = plan;
  const next = parameterSet(base.schema, base.values.slice());
  const change = adapters === undefined ? step : lowRankStep(await model(), adapters, step);
  const before = selected(base, change.schema);
  const rounded = rounding === undefined ? undefined : await roundStep(before, change, rounding);
  const stepped = rounded === undefined ? applyStep(before, change) : rounded.weights;
  for (const { name } of change.schema) parameterView(next, name).set(parameterView(stepped, name));
  let offset = 0;
  for (const { name, role, minimum = -Infinity } of update.tensors) {
    if (role !== "statistic") continue;
    const values = parameterView(next, name);
    for (let i = 0; i < values.length; i++)
      values[i] = Math.max(minimum, values[i]! + statistics[offset + i]!);
    offset += values.length;
  }
  return { weights: next, rounded };
}

/** A version in the making. */
export interface SteppedWeights {
  readonly weights: ParameterSet;
  /** What the server optimizer remembers. */
  readonly state: StrategyState;
  /** Undefined where the step was not rounded. */
  readonly rounded: RoundedStep | undefined;
}

/**
 * From the mean of a round to the weights of the next version, and what the server optimizer remembers.
 *
 * @throws `round/aggregation-failed` when the weights are not finite
 */
export async function steppedWeights(input: {
  readonly plan: Plan;
  readonly strategy: ChosenStrategy;
  readonly base: ParameterSet;
  readonly mean: Pick<RoundMean, "weights" | "statistics" | "updates" | "perStep">;
  readonly baseVersion: number;
  /** Which step of the task this is, from 1. */
  readonly trainingRound: number;
  /** What the optimizer remembers of a schema; undefined where it begins. */
  readonly before: (schema: ParameterSchema) => Promise<StrategyState | undefined>;
  readonly model: () => Promise<Uint8Array>;
  /** Undefined: the step is not rounded. */
  readonly rounding?: StepRounding | undefined;
}): Promise<SteppedWeights> {
  const { plan, base, mean, strategy, model } = input;
  const optimized = optimizedWeights(plan, base);
  const { optimizer } = strategy.strategy;
  const before = (await input.before(optimized.schema)) ?? optimizer.init(optimized);
  const { learningRate, learningRateSchedule = { kind: "constant" } } = plan.local;
  const { step, state } = optimizer.update(meanUpdate(optimized.schema, mean.weights), before, {
    updates: mean.updates,
    baseVersion: input.baseVersion,
    learningRate: learningRateAt(learningRate, learningRateSchedule, input.trainingRound),
    ...(mean.perStep === undefined ? {} : { perStep: meanUpdate(optimized.schema, mean.perStep) }),
  });
  if (!allFinite(step.values)) throw notFinite(plan);
  const { statistics } = mean;
  const { weights, rounded } = await nextWeights({
    plan,
    base,
    step,
    statistics,
    model,
    rounding: input.rounding,
  });
  if (!allFinite(weights.values)) throw notFinite(plan);
  return { weights, state, rounded };
}

function notFinite({ task }: Pick<Plan, "task">): Error {
  return failure("round/aggregation-failed", `rounds: the weights of "${task}" are not finite`);
}

/** Values of the parameters that a schema names; zeros of what is none. */
function selected(base: ParameterSet, schema: ParameterSchema): ParameterSet {
  const published = new Set(base.schema.map(({ name }) => name));
  const chosen = parameterSet(schema);
  for (const { name } of schema)
    if (published.has(name)) parameterView(chosen, name).set(parameterView(base, name));
  return chosen;
}
