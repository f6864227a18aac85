import { robustStrategies } from "./robust-strategies.ts";
import { scaffoldStrategy } from "./scaffold-strategy.ts";
import { serverStrategies } from "./server-strategies.ts";
import type { StrategyDefinition } from "./strategy.ts";

/** Every strategy a task can name without registering one. */
export const builtInStrategies: readonly StrategyDefinition[] = [
  ...serverStrategies,
  ...robustStrategies,
  scaffoldStrategy,
];
