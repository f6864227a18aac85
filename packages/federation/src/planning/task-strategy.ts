import type { ChosenStrategy, StrategyRegistry } from "@tributary/aggregation";
import { bufferedMode, type TaskSpec } from "@tributary/protocol";

/**
 * The strategy that a task names, checked against the rest of it: under secure aggregation there is no single update.
 *
 * @param trustedDataset whether there are examples that the server may train on itself; by default, whether the task names some
 * @throws `aggregation/invalid-strategy`, `aggregation/incompatible-strategy`
 */
export function strategyOf(
  strategies: StrategyRegistry,
  spec: TaskSpec,
  trustedDataset = spec.strategy.trustedDataset !== undefined,
): ChosenStrategy {
  const { strategy, cohort, local, secureAggregation } = spec;
  const { kind, momentum = 0.9, nesterov } = local.optimizer;
  // Nesterov's steps are of another length: strategies that count on it have to know.
  const optimizer = nesterov === true ? "nesterov" : kind;
  return strategies.choose(strategy, {
    secureAggregation: secureAggregation.mode === "on",
    cohort,
    groups: bufferedMode(spec)?.groups ?? null,
    trustedDataset,
    local: { ...local, optimizer, momentum },
  });
}
