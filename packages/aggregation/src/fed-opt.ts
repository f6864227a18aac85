import { parameterSet, type ParameterSet } from "@tributary/tensor";
import { decayed } from "./fed-avg-m.ts";
import { requireSetting } from "./settings.ts";
import type { ServerOptimizer } from "./server-optimizer.ts";
import type { StrategyState } from "./strategy-state.ts";

export interface FedOptOptions {
  /** eta. @defaultValue 0.1 */
  readonly learningRate?: number;
  /** Decay of the momentum. @defaultValue 0.9, of fedAdagrad 0 */
  readonly beta1?: number;
  /** Keeps the divisor off zero; the variance begins with its square. @defaultValue 1e-3 */
  readonly tau?: number;
}

export interface DecayedFedOptOptions extends FedOptOptions {
  /** Decay of the variance. @defaultValue 0.99 */
  readonly beta2?: number;
}

/** The variance after a round, from the one before and the square of the mean. */
type NextVariance = (variance: number, square: number) => number;

/** Algorithm 2 with Adagrad's variance: v += mean^2. */
export function fedAdagrad(options: FedOptOptions = {}): ServerOptimizer<StrategyState> {
  return adaptive("fedAdagrad", { beta1: 0, ...options }, (variance, square) => variance + square);
}

/** Algorithm 2 with Adam's variance: v = beta2 * v + (1 - beta2) * mean^2. */
export function fedAdam(options: DecayedFedOptOptions = {}): ServerOptimizer<StrategyState> {
  const { beta2 = 0.99 } = options;
  requireSetting("fedAdam", "beta2", beta2, beta2 >= 0 && beta2 < 1);
  return adaptive("fedAdam", options, (variance, square) => beta2 * variance + (1 - beta2) * square);
}

/** Algorithm 2 with Yogi's variance: v -= (1 - beta2) * mean^2 * sign(v - mean^2). */
export function fedYogi(options: DecayedFedOptOptions = {}): ServerOptimizer<StrategyState> {
  const { beta2 = 0.99 } = options;
  requireSetting("fedYogi", "beta2", beta2, beta2 >= 0 && beta2 < 1);
  return adaptive(
    "fedYogi",
    options,
    (variance, square) => variance - (1 - beta2) * square * Math.sign(variance - square),
  );
}

/**
 * Adaptive server optimizers, Algorithm 2 of Reddi et al. 2021 (https://arxiv.org/abs/2003.00295):
 * m = beta1 * m + (1 - beta1) * mean; step = learningRate * m / (sqrt(v) + tau). As in the paper there is no bias
 * correction. Computed in float64, kept in float32.
 */
function adaptive(
  strategy: string,
  options: FedOptOptions,
  nextVariance: NextVariance,
): ServerOptimizer<StrategyState> {
  const { learningRate = 0.1, beta1 = 0.9, tau = 1e-3 } = options;
  requireSetting(strategy, "learningRate", learningRate, learningRate > 0);
  requireSetting(strategy, "beta1", beta1, beta1 >= 0 && beta1 < 1);
  requireSetting(strategy, "tau", tau, tau > 0);
  return {
    init({ schema }) {
      const variance = parameterSet(schema);
      variance.values.fill(tau * tau);
      return { numbers: {}, sets: { momentum: parameterSet(schema), variance } };
    },
    update(mean, state) {
      const momentum = decayed(state.sets["momentum"]!, beta1, 1 - beta1, mean);
      const variance = squaresInto(state.sets["variance"]!, mean, nextVariance);
      const step = new Float32Array(mean.values.length);
      for (let i = 0; i < step.length; i++) {
        step[i] = (learningRate * momentum.values[i]!) / (Math.sqrt(variance.values[i]!) + tau);
      }
      return { step: parameterSet(mean.schema, step), state: { numbers: {}, sets: { momentum, variance } } };
    },
  };
}

function squaresInto(variance: ParameterSet, mean: ParameterSet, next: NextVariance): ParameterSet {
  const values = new Float32Array(variance.values.length);
  for (let i = 0; i < values.length; i++) {
    values[i] = next(variance.values[i]!, mean.values[i]! * mean.values[i]!);
  }
  return parameterSet(variance.schema, values);
}
