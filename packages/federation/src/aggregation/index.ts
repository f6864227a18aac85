/** What a server does with the updates of a round besides stepping its machine: checks, sums, the next weights. */
export { decodeAggregate, encodeAggregate, type Aggregate } from "./aggregate-file.ts";
export { bufferMean, type StaleMean } from "./buffer-mean.ts";
export { checkCohortSum, type CheckedSum, type SumLimits } from "./cohort-sum.ts";
export { nextWeights, optimizedWeights, steppedWeights, type SteppedWeights } from "./next-weights.ts";
export {
  gatherStep,
  optimizerFiles,
  reproduceStep,
  type GatheredStep,
  type OptimizerFiles,
  type ReadStepFile,
} from "./reproduce-step.ts";
export { roundStep, type RoundedStep, type StepRounding } from "./rounded-step.ts";
export {
  measurementRoundRules,
  planRules,
  roundIdOf,
  secureRoundPlan,
  taskRoundRules,
  updateRules,
  type PlanRules,
  type SecureRoundPlan,
  type TaskRoundRules,
} from "./plan-rules.ts";
export {
  compares,
  readyRule,
  type ComparingAggregation,
  type ReadyRule,
  type RootUpdate,
  type TrustSummary,
} from "./ready-rule.ts";
export { SecureExchange, type AdmittedMember, type SecureExchangeOptions } from "./secure-exchange.ts";
export {
  createUpdateChecker,
  type CheckedUpdate,
  type UpdateChecker,
  type UpdateRules,
} from "./update-check.ts";
export {
  createUpdateSum,
  type RoundMean,
  type SavedSum,
  type UpdateCounts,
  type UpdateSum,
} from "./update-sum.ts";
