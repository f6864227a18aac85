import { parameterSet, scale, type ParameterSet } from "@tributary/tensor";
import { requireSetting } from "./settings.ts";
import type { ServerOptimizer } from "./server-optimizer.ts";
import type { StrategyState } from "./strategy-state.ts";

/**
 * Averaging with momentum on the server (Hsu et al. 2019, https://arxiv.org/abs/1909.06335):
 * v = momentum * v + mean; step = learningRate * v.
 *
 * @param options.learningRate above 0, default 1
 * @param options.momentum from 0 to below 1, default 0.9
 */
export function fedAvgM(
  options: { readonly learningRate?: number; readonly momentum?: number } = {},
): ServerOptimizer<StrategyState> {
  const { learningRate = 1, momentum = 0.9 } = options;
  requireSetting("fedAvgM", "learningRate", learningRate, learningRate > 0);
  requireSetting("fedAvgM", "momentum", momentum, momentum >= 0 && momentum < 1);
  return {
    init: ({ schema }) => ({ numbers: {}, sets: { momentum: parameterSet(schema) } }),
    update(mean, state) {
      const next = decayed(state.sets["momentum"]!, momentum, 1, mean);
      return {
        step: parameterSet(mean.schema, scale(next.values, learningRate)),
        state: { numbers: {}, sets: { momentum: next } },
      };
    },
  };
}

/** keep * set + add * mean, as a new set. */
export function decayed(set: ParameterSet, keep: number, add: number, mean: ParameterSet): ParameterSet {
  const values = new Float32Array(set.values.length);
  for (let i = 0; i < values.length; i++) values[i] = keep * set.values[i]! + add * mean.values[i]!;
  return parameterSet(set.schema, values);
}
