import type { ChosenStrategy, StrategyRegistry } from "@tributary/aggregation";
import type { TaskSpec } from "@tributary/protocol";

/**
 * The strategy that a task names, checked against the rest of it. Devices send their updates in the clear, so that every
 * strategy has what it needs.
 *
 * @throws `aggregation/invalid-strategy`, `aggregation/incompatible-strategy`
 */
export function strategyOf(strategies: StrategyRegistry, spec: TaskSpec): ChosenStrategy {
  const { strategy, cohort, local } = spec;
  return strategies.choose(strategy, { secureAggregation: false, cohort, local });
}
