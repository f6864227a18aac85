export { fedAvg, MAX_UPDATE_EXAMPLES, type FedAvgState } from "./fed-avg.ts";
export { fedAvgM } from "./fed-avg-m.ts";
export { fedAdagrad, fedAdam, fedYogi, type DecayedFedOptOptions, type FedOptOptions } from "./fed-opt.ts";
export { applyStep, meanUpdate, serverSgd, type ServerOptimizer } from "./server-optimizer.ts";
export { decodeState, EMPTY_STATE, encodeState, isEmptyState, type StrategyState } from "./strategy-state.ts";
