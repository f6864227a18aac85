/** Local training: a training graph stepped over labelled examples, and what comes of it. */
export { checkedWeights, matchingOutputs } from "./graph-weights.ts";
export { rootUpdate, type RootUpdateRequest } from "./root-update.ts";
export { shuffledOrder, train, type TrainProgress, type TrainRequest, type TrainResult } from "./train.ts";
export { measureLoss, type MeasuredLoss } from "./measure-loss.ts";
export type { BatchCut, OpenGraph } from "./micro-batches.ts";
export type { TrainingPace, TrainingState } from "./training-state.ts";
export { checkUpdateLayout } from "./update-of.ts";
