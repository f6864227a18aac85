export { fedAvg, MAX_UPDATE_EXAMPLES, type FedAvgState } from "./fed-avg.ts";
export { fedAvgM } from "./fed-avg-m.ts";
export { fedBuff, stalenessDiscount, type FedBuffState } from "./fed-buff.ts";
export { fedNova, localNorm, localSteps, type FedNovaState, type LocalWork } from "./fed-nova.ts";
export { fedAdagrad, fedAdam, fedYogi, type DecayedFedOptOptions, type FedOptOptions } from "./fed-opt.ts";
export { flTrust, type TrustOptions } from "./robust/fl-trust.ts";
export { geometricMedian, type GeometricMedianOptions } from "./robust/geometric-median.ts";
export {
  krum,
  krumMinimum,
  krumScores,
  multiKrum,
  type KrumOptions,
  type MultiKrumOptions,
} from "./robust/krum.ts";
export { normBound } from "./robust/norm-bound.ts";
export { coordinateMedian, trimmedMean } from "./robust/order-statistics.ts";
export {
  aggregateRobustly,
  type Block,
  type Cohort,
  type Pass,
  type RobustRule,
} from "./robust/robust-rule.ts";
export { openRowSum, ROW_VALUES, SUM_ROWS, type RowSum } from "./row-sum.ts";
export { scaffoldClientControl, scaffoldServer } from "./scaffold.ts";
export {
  applyStep,
  meanUpdate,
  serverSgd,
  type RoundFacts,
  type ServerOptimizer,
} from "./server-optimizer.ts";
export { builtInStrategies } from "./strategies/built-in.ts";
export type { StrategyParameter } from "./strategies/parameters.ts";
export {
  createStrategyRegistry,
  type ChosenStrategy,
  type StrategyChoice,
  type StrategyRegistry,
} from "./strategies/registry.ts";
export type {
  Aggregation,
  Fault,
  Strategy,
  StrategyDefinition,
  StrategyTask,
} from "./strategies/strategy.ts";
export { decodeState, EMPTY_STATE, encodeState, isEmptyState, type StrategyState } from "./strategy-state.ts";
