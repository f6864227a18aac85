export { fedAvg, MAX_UPDATE_EXAMPLES, type FedAvgState } from "./fed-avg.ts";
export {
  applyStep,
  meanUpdate,
  serverSgd,
  type ServerOptimizer,
  type ServerSgdState,
} from "./server-optimizer.ts";
