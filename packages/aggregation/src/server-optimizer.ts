import {
  add,
  parameterSet,
  requireSameSchema,
  scale,
  type ParameterSchema,
  type ParameterSet,
} from "@tributary/tensor";
import { EMPTY_STATE, type StrategyState } from "./strategy-state.ts";

/**
 * Turns the mean update of a round into the step the server takes. A pure pair, as in Reddi et al. 2021
 * (https://arxiv.org/abs/2003.00295): state goes in and comes out, so that it can be stored with the version and replayed.
 */
export interface ServerOptimizer<S> {
  /** State before the first round. */
  init(parameters: ParameterSet): S;
  /** `mean` is a weighted mean of updates (trained minus base weights); `step` is added to the base weights. */
  update(mean: ParameterSet, state: S, round?: RoundFacts): { step: ParameterSet; state: S };
}

/** What else an optimizer may want to know of the round. */
export interface RoundFacts {
  /** Updates in the mean. */
  readonly updates: number;
  /** Version that the devices trained from. */
  readonly baseVersion: number;
  /** Of the devices. */
  readonly learningRate: number;
  /** Of a `controlled` aggregation: the mean of the updates, each divided by the local steps behind it. */
  readonly perStep?: ParameterSet;
}

const DEFAULTS = Object.freeze({ learningRate: 1 });

/**
 * step = learningRate * mean; with 1 this is FedAvg.
 * @param options.learningRate above 0, default 1
 */
export function serverSgd(options: { learningRate?: number } = {}): ServerOptimizer<StrategyState> {
  const { learningRate = DEFAULTS.learningRate } = options;
  if (!(learningRate > 0 && learningRate < Infinity)) {
    throw new RangeError(`serverSgd: learningRate must be a number above 0, got ${learningRate}`);
  }
  return {
    init: () => EMPTY_STATE,
    update: (mean, state) => ({ step: parameterSet(mean.schema, scale(mean.values, learningRate)), state }),
  };
}

/** A float64 mean as a parameter set, rounded once to float32. */
export function meanUpdate(schema: ParameterSchema, mean: Float64Array): ParameterSet {
  return parameterSet(schema, Float32Array.from(mean));
}

/** The weights of the next version: float32(base + step). The same bits on every machine. */
export function applyStep(base: ParameterSet, step: ParameterSet): ParameterSet {
  requireSameSchema(base.schema, step.schema);
  return parameterSet(base.schema, add(base.values, step.values));
}
