export { addLowRankAdapters, type AdaptedModel } from "./adapters/add-adapters.ts";
export { headParameters } from "./adapters/head-parameters.ts";
export type { LowRankOptions } from "./adapters/choose-adapters.ts";
export { lowRankStep, lowRankTrainingModel } from "./adapters/low-rank-step.ts";
export { mergeLowRankAdapters } from "./adapters/merge-adapters.ts";
export {
  buildExplanationGraph,
  type ExplanationGraph,
  type ExplanationGraphOptions,
  type ExplanationGraphSpec,
} from "./autodiff/explanation-graph.ts";
export { buildEvaluationGraph, buildTrainingGraph } from "./autodiff/training-graph.ts";
export {
  buildMicroBatches,
  type MicroBatchGraphs,
  type OptimizerStepSpec,
  type WholeReason,
} from "./autodiff/micro-batches.ts";
export type {
  EvaluationGraph,
  EvaluationGraphOptions,
  EvaluationGraphSpec,
  GraphPort,
  TrainedParameter,
  TrainingGraph,
  TrainingGraphOptions,
  TrainingGraphSpec,
} from "./autodiff/build-spec.ts";
export type { GraphTarget } from "./autodiff/rule.ts";
export type { DropoutMask } from "./autodiff/training-forms.ts";
export type {
  GraphLossOptions,
  Loss,
  LossName,
  LossOptions,
  OutputLoss,
  SoftmaxCrossEntropyOptions,
} from "./autodiff/loss-options.ts";
export { fittingLoss } from "./autodiff/fitting-loss.ts";
export type { MetricName, MetricOptions, MetricOutput } from "./autodiff/metrics.ts";
export type { StateTensor } from "./autodiff/optimizer-graph.ts";
export { createOptimizer, type Optimizer } from "./autodiff/optimizer-step.ts";
export type { AdamSettings, GradientOptions, OptimizerName, OptimizerOptions } from "./autodiff/optimizer.ts";
export type { DifferentiableOp } from "./autodiff/rules/index.ts";
export { bindWeights } from "./bind.ts";
export {
  describeModel,
  type DescribeOptions,
  type ModelDescription,
  type ParameterDescription,
  type ValueDescription,
} from "./describe-model.ts";
export { decodeModel, readModel } from "./ir/decode.ts";
export { onnxRegions } from "./quantize/delta-regions.ts";
export { encodeModel } from "./ir/encode.ts";
export { writeModel, type WriteModelOptions, type WrittenModel } from "./ir/write-model.ts";
export type { ElementType } from "./ir/element-type.ts";
export type { ExternalReader } from "./ir/external-data.ts";
export type { Fact, ShapeTable } from "./ir/fact.ts";
export type { FlopCount } from "./ir/flops.ts";
export type {
  Attribute,
  Dim,
  Graph,
  MetadataEntry,
  Model,
  Node,
  OpsetImport,
  TensorValue,
  ValueInfo,
} from "./ir/model.ts";
export { matchesOf, type Trainable } from "./ir/parameters.ts";
export { runningStatistics, type RunningStatistic } from "./ir/inference-graph.ts";
export { inferShapes } from "./ir/shapes.ts";
export { withTensorOutputs } from "./ir/tensor-outputs.ts";
export { build2nn, buildDigitsCnn, buildFedAvgCnn, buildLinear } from "./models/digit-models.ts";
export type { ModelOptions } from "./models/pytorch-layers.ts";
export { PROTO_LIMITS, type ProtoLimits } from "./proto/message.ts";
export { splitWeights, type SplitModel } from "./split-weights.ts";
export {
  addToHistogram,
  emptyHistogram,
  mergeHistograms,
  type ActivationHistogram,
} from "./quantize/activation-histogram.ts";
export { compareModels, type CompareOptions, type ModelComparison } from "./quantize/compare-models.ts";
export {
  QUANTIZATION_SCHEMES,
  type Calibration,
  type CalibrationMethod,
  type ChainAdvice,
  type QuantizationScale,
  type QuantizationScales,
  type QuantizationScheme,
  type QuantizedModel,
  type QuantizeOptions,
  type RunModel,
  type WeightReport,
} from "./quantize/options.ts";
export { gatherHistograms } from "./quantize/int8-static.ts";
export type { ActivationRange } from "./quantize/activation-range.ts";
export { chosenRanges, keptActivations, quantilesOf } from "./quantize/kept-ranges.ts";
export { quantizeWeightsFile, type QuantizedWeightsFile } from "./quantize/quantize-weights-file.ts";
export { quantize } from "./quantize/quantize.ts";
export { quantizeNext } from "./quantize/quantize-next.ts";
export {
  recommend,
  SCHEME_MEASUREMENTS,
  type InferenceEngine,
  type Recommendation,
  type SchemeMeasurement,
} from "./quantize/recommend.ts";
export type { Obstacle } from "./trainability.ts";
