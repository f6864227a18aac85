/** What follows from a task before its first round: its plan, and what is built for it. */
export { isOutdatedComparison } from "./example-metrics.ts";
export { measurementCohort, type MeasurementCohort } from "./measurement-cohort.ts";
export { measurementContent, type MeasurementContent } from "./measurement-content.ts";
export { modelPorts, type ModelPorts } from "./model-ports.ts";
export {
  personalisationDocument,
  personalisationGraphs,
  type PersonalGraphs,
  type PersonalisationGraphs,
} from "./personalisation.ts";
export { planContent, type PlanContent, type PlanGraphs } from "./plan-content.ts";
export type { TfjsSource } from "./tfjs/tfjs-graphs.ts";
export { strategyOf } from "./task-strategy.ts";
export { withLoss } from "./fitting-loss.ts";
export type { ReadLossGraph } from "./training-options.ts";
