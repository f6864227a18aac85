/** The update rules alone, for engines that step outside the graph: none of the rest of this package comes with them. */
export { createOptimizer, type Optimizer } from "./autodiff/optimizer-step.ts";
export type { AdamSettings, GradientOptions, OptimizerName, OptimizerOptions } from "./autodiff/optimizer.ts";
