import type { StrategyChoice } from "@tributary/aggregation";
import type { Digest, ModelName, ModelVersion, RoundId, TaskName } from "@tributary/core";
import type {
  CardNotes,
  GraphPort,
  InputSample,
  Lineage,
  ModelFormat,
  ModelProcessing,
  RetentionRule,
  SelfCheck,
  TaskSpec,
  TrustView,
  VariantForm,
  VerdictView,
} from "@tributary/protocol";
import type { ParameterSchema } from "@tributary/tensor";

/** A blob by its SHA-256, with its length in bytes. */
export interface BlobRef {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** A published model: what stays the same over its versions. Times are ms since the epoch. */
export interface ModelRecord {
  readonly name: ModelName;
  /** What tasks train from: the newest, unless training was taken back to an earlier one. */
  readonly currentVersion: ModelVersion;
  /** What the channel stable points to. */
  readonly releasedVersion: ModelVersion;
  readonly releasedAt: number;
  readonly parameters: ParameterSchema;
  readonly parameterCount: number;
  /** What its graph is written in. */
  readonly format: ModelFormat;
  /** As inference runs it. */
  readonly graph: BlobRef;
  /** As it was exported, in training mode; null where that is the same. */
  readonly trainingGraph: BlobRef | null;
  /** In the graph's order; a free dimension is -1. */
  readonly inputs: readonly GraphPort[];
  readonly outputs: readonly GraphPort[];
  readonly labels: readonly string[] | null;
  /** How images become its inputs and its outputs answers; null: as the app has it. */
  readonly processing: ModelProcessing | null;
  /** The graph that explains its answers; null: it has no gradients. */
  readonly explanation: BlobRef | null;
  /** How devices train weights of their own, with the graphs that the document names; null: they do not. */
  readonly personalisation: { readonly document: BlobRef; readonly graphs: readonly BlobRef[] } | null;
  /** What operators write on its cards; null: nothing. */
  readonly cardNotes: { readonly notes: CardNotes; readonly updatedAt: number } | null;
  /** How long its versions stay in the release; null: as by default. */
  readonly retention: RetentionRule | null;
  /** Forms that are derived of each version. */
  readonly variants: readonly VariantForm[];
  readonly createdAt: number;
}

/** What a channel of a model points to, or pointed to. */
export interface ChannelRecord {
  readonly model: ModelName;
  readonly name: string;
  readonly version: ModelVersion;
  /** When it was last moved there. */
  readonly releasedAt: number;
}

/** A derived form of a version: a whole ONNX file. */
export interface VariantRecord extends BlobRef {
  readonly name: VariantForm;
  /** What its weights and activations were quantized with, as JSON: what the next version keeps. */
  readonly scales?: BlobRef;
  /** What float inputs look like that it is good for; absent: any. */
  readonly sample?: InputSample;
}

/** What a version of a model is called. */
export interface AliasRecord {
  readonly model: ModelName;
  readonly name: string;
  readonly version: ModelVersion;
  readonly movedAt: number;
}

/** One version of a model and its lineage: the parent, and the round that made it (null: published). */
export interface VersionRecord {
  readonly model: ModelName;
  /** From 1; never used twice within a model. */
  readonly version: ModelVersion;
  readonly parentVersion: ModelVersion | null;
  readonly roundId: RoundId | null;
  readonly createdAt: number;
  readonly graph: BlobRef;
  /** float32 safetensors. */
  readonly weights: BlobRef;
  /** Per-channel int8 safetensors. */
  readonly int8: BlobRef;
  readonly variants: readonly VariantRecord[];
  readonly parameterCount: number;
  /** On held-out data, after the version; null when the task names none. */
  readonly loss: number | null;
  readonly accuracy: number | null;
  /** By the metric's name: means over the examples; tables as sums over them. Empty where nothing was measured. */
  readonly metrics: Readonly<Record<string, readonly number[]>>;
  /** Devices whose updates are in it; 0 for a published version. */
  readonly cohort: number;
  readonly numExamples: number;
  /** How it came from the updates of its round, with every hyperparameter; null: published. */
  readonly strategy: StrategyChoice | null;
  /** When the channel stable was last moved to it; null: it never was. */
  readonly releasedAt: number | null;
  /** How its updates compared with the server's own; null: they were not compared. */
  readonly trust: TrustView | null;
  /** What the gate of its task found; null: nothing, so far. */
  readonly gate: VerdictView | null;
  /** Least version of the runtime that may run it; null: any. */
  readonly requiredRuntime: string | null;
  /** What it answers on one row; null where it could not be run. */
  readonly selfCheck: SelfCheck | null;
  /** What it was made of and by; null of versions of before it was kept. */
  readonly lineage: Lineage | null;
}

/** A version that no device runs any more. */
export interface WithdrawalRecord {
  readonly model: ModelName;
  readonly version: ModelVersion;
  readonly reason: string;
  readonly at: number;
}

/** What a server optimizer remembers after a version. */
export interface OptimizerBlobs {
  /** A safetensors file. */
  readonly state: BlobRef;
  /** What rounding left out of the steps so far; null where none was rounded. */
  readonly residual: BlobRef | null;
}

/** The state of a task's server optimizer after `version`. */
export interface OptimizerRecord extends OptimizerBlobs {
  readonly task: TaskName;
  readonly version: ModelVersion;
}

/**
 * What a version of a round came from beside its parent's weights, and what its task remembered after it: enough to take the step
 * again, and to go on from it.
 */
export interface VersionStateRecord {
  readonly model: ModelName;
  readonly version: ModelVersion;
  readonly task: TaskName;
  /** By which the round's mean became a step. */
  readonly plan: BlobRef;
  /** Which step of the task it was, from 1. */
  readonly trainingRound: number;
  readonly stepPrecision: TaskSpec["stepPrecision"];
  /** `encodeAggregate`'s: what the server optimizer was given, never a single update; null: it was not to be kept. */
  readonly aggregate: BlobRef | null;
  /** Null: the server optimizer began. */
  readonly before: OptimizerBlobs | null;
  /** Null: the server optimizer remembers nothing. */
  readonly after: OptimizerBlobs | null;
}
