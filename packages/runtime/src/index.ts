export type { Consent, Consents } from "./consent.ts";
export type {
  CallDiagnosis,
  Diagnosis,
  EngineDiagnosis,
  KeptVersion,
  ModelDiagnosis,
  StorageDiagnosis,
  TriedEngine,
  RefusedVersion,
  TriedVariant,
  VariantName,
  VersionDownload,
  WorkerDiagnosis,
} from "./diagnosis.ts";
export type { RolloutStanding } from "./updater/standing.ts";
export type { ExplainOptions, Explanation, ExplanationMethod } from "./explain/explanation.ts";
export type { ExampleOptions } from "./examples/example-policy.ts";
export type {
  AdapterKind,
  PersonalChange,
  PersonalDiagnosis,
  PersonalDropReason,
  PersonaliseOptions,
  PersonalisationReport,
  PersonalMeasurement,
  PersonalProgress,
  PersonalWeights,
} from "./personal/personalisation.ts";
export type {
  BatchDiagnosis,
  PauseReason,
  TrainingDiagnosis,
  TrainingEngine,
} from "./participation/training-diagnosis.ts";
export type { ErasedExamples, Erasure, ForgetOptions } from "./forget/erasure.ts";
export type { DeviceHealthOptions } from "./health/health-setting.ts";
export type { ImageSource, RawImage } from "./images/image-input.ts";
export type { StreamOptions, StreamSource } from "./inference/stream.ts";
export type { TextInput, Tokenizer, Tokenizers, Tokens } from "./text/text.ts";
export type { BatchingOptions } from "./inference/batching.ts";
export type { Answer, FeedbackLabel } from "./feedback/feedback.ts";
export type {
  FeedbackView,
  HistogramView,
  LatencyView,
  Metrics,
  ModelMetrics,
} from "./telemetry/model-metrics.ts";
export type {
  ChainStep,
  ConnectionState,
  DownloadProgress,
  EngineProgress,
  ModelProgress,
  ExampleCollection,
  FeedValue,
  Inference,
  HeldBackMeasurement,
  InputValue,
  KeptExample,
  LabelledExample,
  LabelValue,
  ModelChain,
  ModelHandle,
  ModelOptions,
  ModelState,
  ModelUpdate,
  ModelVariant,
  ParticipateOptions,
  Participation,
  ParticipationEvent,
  ParticipationState,
  RankedClass,
  RunInferenceOptions,
  Runtime,
  RuntimeEvent,
  RuntimeOptions,
  RuntimeStatus,
  SeenLogHead,
  TokenRequest,
  Trust,
} from "./runtime.ts";
