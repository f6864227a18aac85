import type {
  DeviceId,
  Digest,
  ModelName,
  ModelVersion,
  PopulationName,
  RoundId,
  TaskName,
} from "@tributary/core";
import type { StrategyChoice } from "@tributary/aggregation";
import type { GateState, RolloutConfig, RolloutState } from "@tributary/federation";
import type {
  AlertRule,
  AlertState,
  AlertSubject,
  CardNotes,
  DeviceState,
  DeliveryState,
  GraphPort,
  Lineage,
  InputSample,
  MetricDocument,
  ModelFormat,
  ModelProcessing,
  Notification,
  NotificationChannel,
  NotificationTargetView,
  Policy,
  PolicyOutcome,
  RetentionRule,
  RoundPurpose,
  RoundView,
  SelfCheck,
  SilenceMatcher,
  TaskReason,
  TaskSpec,
  TaskState,
  TrustView,
  VariantForm,
  VerdictView,
} from "@tributary/protocol";
import type { ParameterSchema } from "@tributary/tensor";
import type { TufPublicKey } from "@tributary/tuf";

/** Anything JSON holds; what journals, events and `custom` fields carry. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

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

/** A federated task and the plan it was published as. */
export interface TaskRecord {
  readonly name: TaskName;
  readonly model: ModelName;
  readonly population: PopulationName;
  readonly state: TaskState;
  readonly spec: TaskSpec;
  /** What is trained, or measured. */
  readonly plan: PlanRef;
  /** Of a training task with a gate: what held-out devices measure by. */
  readonly gatePlan: PlanRef | null;
  /** Null where the task has no gate. */
  readonly gate: GateRecord | null;
  readonly createdAt: number;
  /** Why it does not run; null while it runs. */
  readonly reason: TaskReason | null;
  /** When it was created or last resumed: its stop rules count from here. */
  readonly activeSince: number;
}

/** A signed plan: its number within the task, its target path and its blob. */
export type PlanRef = BlobRef & { readonly number: number; readonly target: string };

/** Where a task's gate stands. */
export type GateRecord = GateState;

/** What the devices of one round measured: sums over those whose vectors counted. */
export interface MeasurementRecord {
  readonly roundId: RoundId;
  readonly task: TaskName;
  readonly model: ModelName;
  readonly purpose: Exclude<RoundPurpose, "train">;
  readonly version: ModelVersion;
  readonly candidate: ModelVersion | null;
  readonly devices: number;
  /** What the coordinates of `sums` are. */
  readonly metrics: readonly MetricDocument[];
  readonly sums: readonly number[];
  /** Of each bound of what is computed from the sums. */
  readonly confidence: number;
  readonly at: number;
}

export interface PhaseRecord {
  readonly phase: RoundView["phase"];
  /** In ms since the epoch. */
  readonly at: number;
  readonly dropouts: number;
}

/**
 * One round: everything its view shows (`roundView` makes one), with times in ms since the epoch,
 * and the configuration its machine was started with (for replay).
 */
export interface RoundRecord extends Readonly<
  Omit<RoundView, "startedAt" | "endedAt" | "deadlineAt" | "phases">
> {
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly deadlineAt: number | null;
  readonly phases: readonly PhaseRecord[];
  readonly config: JsonValue;
}

/** The sum of a cohort in buffered mode, and the version it went into. */
export interface BufferedCohortRecord {
  readonly roundId: RoundId;
  readonly task: TaskName;
  /** All its members trained from this version. */
  readonly baseVersion: ModelVersion;
  /** Members in the sum. */
  readonly updates: number;
  readonly numExamples: number;
  /** `encodeCohortMean`'s. Gone, some time after the version was made. */
  readonly sum: BlobRef;
  /** When it was stored. */
  readonly at: number;
  /** Versions between its base and the one it was added to; null while it waits. */
  readonly staleness: number | null;
  /** Null while it waits. */
  readonly version: ModelVersion | null;
}

/** One control input of a round's machine, in the order it was stepped; never a vector or a secret. */
export interface JournalEntry {
  readonly roundId: RoundId;
  /** From 1, without gaps. */
  readonly sequence: number;
  readonly at: number;
  readonly input: JsonValue;
}

export type TufRole = "root" | "timestamp" | "snapshot" | "targets";

/** Signed metadata, byte for byte as it is served. */
export interface SignedMetadata {
  /** A top-level one, or one that is delegated to. */
  readonly role: string;
  readonly version: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Who signs for a role, as operators want it; what is signed follows as soon as its keys have signed it. */
export interface RoleRecord {
  readonly role: string;
  /** Whose targets it signs; null of the top-level roles. */
  readonly model: ModelName | null;
  readonly keys: readonly TufPublicKey[];
  /** How many of them have to sign. */
  readonly threshold: number;
}

/** The next metadata of a role whose keys are not all here: what operators export, sign and import. */
export interface DraftRecord {
  readonly role: string;
  /** The file with the signatures so far. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** One entry of a role's targets metadata. */
export interface TargetRecord {
  /** "targets", or the delegated role that signs for it. Two roles may name one path. */
  readonly role: string;
  readonly path: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly custom: JsonValue | null;
}

/**
 * A change of the release: the newly signed metadata and the targets rows that it lists.
 * `expectedTimestampVersion` fences it: another release committed in between makes it fail with `store/conflict`.
 */
export interface ReleaseChange {
  /** The newest timestamp version when the numbers were allocated; null: there was none. */
  readonly expectedTimestampVersion: number | null;
  readonly metadata: readonly SignedMetadata[];
  readonly put: readonly TargetRecord[];
  /** Paths, whichever roles name them. */
  readonly remove: readonly string[];
  /** Roles that are new, or signed by others from here on. */
  readonly roles: readonly RoleRecord[];
  /** All drafts there are from here on. */
  readonly drafts: readonly DraftRecord[];
}

/** An enrolled device. */
export interface DeviceRecord {
  readonly deviceId: DeviceId;
  readonly population: PopulationName;
  /** Raw Ed25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  /** readmitted: refused as one that is revoked, but it may enrol again. */
  readonly state: DeviceState;
  readonly enrolledAt: number;
  /** Of the newest certificate. */
  readonly certificateSerial: string;
  readonly certificateExpiresAt: number;
  readonly lastSeenAt: number | null;
  /** Name and version of its software, as it said last; null: it did not connect yet. */
  readonly software: string | null;
  /** Certificates at lower places of the log are refused: those of before it was revoked. Null: it never was. */
  readonly refusedBefore: number | null;
}

/** Which version of a model runs on a device, as it told last. */
export interface DeviceVersionRecord {
  readonly model: ModelName;
  readonly version: ModelVersion;
  /** Null where its app does not let it tell. */
  readonly engine: string | null;
  readonly at: number;
}

/** A device with what it told of itself, and what its app's backend said of it. */
export interface FleetDeviceRecord extends Omit<DeviceRecord, "publicKey"> {
  /** By model. */
  readonly versions: readonly DeviceVersionRecord[];
  readonly tags: readonly string[];
}

/** What was heard of one device. */
export interface DeviceNews {
  readonly deviceId: DeviceId;
  readonly at: number;
  /** Connections. */
  readonly checkIns: number;
  /** As it said when it connected. */
  readonly software?: string;
  /** An engine that is left out stays as it was told before of the same version. */
  readonly versions: readonly (Omit<DeviceVersionRecord, "engine" | "at"> & { readonly engine?: string })[];
}

/** What is looked for in a fleet: devices of which all that is given holds. Times in ms since the epoch. */
export interface FleetFilter {
  readonly population?: PopulationName;
  readonly state?: DeviceState;
  readonly tag?: string;
  readonly software?: string;
  /** Devices that run it; `version` and `engine` are of it. */
  readonly model?: ModelName;
  readonly version?: ModelVersion;
  readonly engine?: string;
  readonly seenSince?: number;
  readonly seenBefore?: number;
  /** How its id begins. */
  readonly search?: string;
}

/** Devices by what they have in common; the largest groups first. */
export interface FleetCounts {
  readonly known: number;
  readonly active: number;
  readonly revoked: number;
  readonly populations: readonly { readonly population: PopulationName; readonly devices: number }[];
  readonly versions: readonly {
    readonly model: ModelName;
    readonly version: ModelVersion;
    readonly devices: number;
  }[];
  readonly engines: readonly {
    readonly model: ModelName;
    readonly engine: string | null;
    readonly devices: number;
  }[];
  readonly software: readonly { readonly software: string | null; readonly devices: number }[];
  readonly tags: readonly { readonly tag: string; readonly devices: number }[];
}

/** An hour of a population, by its number since the epoch. */
export interface FleetHourRecord {
  readonly hour: number;
  readonly checkIns: number;
  /** Different ones that were heard of. */
  readonly devices: number;
}

/** Devices that ran a version at the end of an hour. */
export interface AdoptionRecord {
  readonly hour: number;
  readonly version: ModelVersion;
  readonly devices: number;
}

/** A certificate in the log, by its place from 0. */
export interface LogEntryRecord {
  readonly index: number;
  /** RFC 9162 leaf hash of the certificate: it is found by it, and stands in the log once. */
  readonly leafHash: Digest;
  readonly deviceId: DeviceId;
  /** As issued. */
  readonly certificate: Uint8Array<ArrayBuffer>;
  /** When it was first presented. */
  readonly at: number;
}

/** The hash of a full subtree of the log: 2^level entries from index x 2^level. */
export interface LogNodeRecord {
  readonly level: number;
  readonly index: number;
  /** 32 bytes. */
  readonly hash: Uint8Array<ArrayBuffer>;
}

/** The use of an enrolment token by one device. */
export interface TokenUse {
  /** The token's own id (`jti`), never the token. */
  readonly tokenId: string;
  readonly deviceId: DeviceId;
  readonly at: number;
  /** When the token expires; its uses may be forgotten afterwards. */
  readonly expiresAt: number;
  /** How many devices the token may enrol. */
  readonly maxUses: number;
}

/** An update that did not count, and why; kept per device. */
export interface RefusalRecord {
  /** Grows: the order of their coming. */
  readonly id: number;
  readonly deviceId: DeviceId;
  readonly roundId: RoundId;
  /** An error code of the catalogue, `update/not-finite`. */
  readonly code: string;
  readonly detail: JsonValue;
  readonly at: number;
}

/** How a version fares on one device, as the device tells it; counts as `healthMetrics` lays them out. */
export interface DeviceHealthRecord {
  readonly deviceId: DeviceId;
  readonly model: ModelName;
  readonly version: ModelVersion;
  readonly population: PopulationName;
  readonly engine: string;
  readonly counts: readonly number[];
  /** The sessions that told last, the newest first, with the sequence of the last report of each. */
  readonly sessions: readonly (readonly [session: string, sequence: number])[];
  readonly firstAt: number;
  readonly at: number;
}

/** A rollout: how it stands, and what it has read of the evidence. Times are ms since the epoch. */
export interface RolloutRecord {
  readonly model: ModelName;
  /** Never used twice within a model. */
  readonly rollout: string;
  readonly channel: string;
  /** Of the model's rollouts, from 1. */
  readonly number: number;
  readonly config: RolloutConfig;
  readonly state: RolloutState;
  readonly evidence: RolloutEvidence;
  readonly createdAt: number;
  /** Null: it is under way. At most one is of a channel. */
  readonly endedAt: number | null;
}

/** How far the evidence of a rollout was read. */
export interface RolloutEvidence {
  /** Reports of devices that came before were looked at. */
  readonly toldBefore: number;
  /** Rounds of the telemetry task that were looked at: the newest of them. */
  readonly round: RoundId | null;
  /** Cohorts by version. */
  readonly cohorts: Readonly<Record<string, number>>;
  /** By arm: what a cohort showed, by gate, that waits for one of the other side. */
  readonly waiting: Readonly<
    Record<string, { readonly treated?: CohortMeans; readonly control?: CohortMeans }>
  >;
  /** Predictions of the first cohort of the control: what drift is measured from. */
  readonly reference: readonly number[] | null;
}

/** What a cohort showed, by gate; null where it says nothing of it. */
export type CohortMeans = readonly (number | null)[];

/** A device that a rollout watches on one version. */
export interface WatchedDeviceRecord {
  readonly model: ModelName;
  readonly rollout: string;
  readonly deviceId: DeviceId;
  readonly version: ModelVersion;
  /** When it was first heard of. */
  readonly openedAt: number;
  /** What it had told of the version by then; null: nothing before the rollout. */
  readonly baseline: readonly number[] | null;
  /** When what it told since was counted; null: not yet. */
  readonly countedAt: number | null;
}

/** A version that no device runs any more. */
export interface WithdrawalRecord {
  readonly model: ModelName;
  readonly version: ModelVersion;
  readonly reason: string;
  readonly at: number;
}

/** A device in secure cohorts of a task whose sums failed; no row: not suspected. */
export interface SuspicionRecord {
  readonly task: TaskName;
  readonly deviceId: DeviceId;
  /** Cohorts with it that failed since one held. */
  readonly points: number;
  /** quarantined: it takes no part until an operator releases it. */
  readonly state: "suspected" | "quarantined";
  /** The last that failed. */
  readonly roundId: RoundId;
  readonly at: number;
}

/** When a device was last asked to train for a task. */
export interface ParticipationRecord {
  readonly task: TaskName;
  readonly deviceId: DeviceId;
  /** The round's number. */
  readonly round: number;
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

/** An alert rule that an operator made, or has otherwise than it is built in. */
export interface AlertRuleRecord {
  readonly rule: AlertRule;
  readonly changedAt: number;
}

/** An alert, from its first being found. Times are ms since the epoch. */
export interface AlertRecord {
  /** Grows, and is never used twice. */
  readonly id: number;
  readonly rule: string;
  readonly kind: AlertRule["kind"];
  readonly severity: AlertRule["severity"];
  readonly state: AlertState;
  readonly subject: AlertSubject;
  /** Of rule and subject: at most one alert of each has not resolved. */
  readonly fingerprint: string;
  readonly value: number | null;
  readonly threshold: number | null;
  readonly summary: string;
  readonly advice: string;
  readonly pendingSince: number;
  readonly firingSince: number | null;
  readonly resolvedAt: number | null;
  readonly acknowledgement: AlertAcknowledgementRecord | null;
  /** What was last told of it; null: nothing. */
  readonly told: "firing" | "resolved" | null;
  readonly toldAt: number | null;
}

export interface AlertAcknowledgementRecord {
  readonly by: string;
  readonly comment: string;
  readonly at: number;
}

/** Alerts that match are told to nobody meanwhile. */
export interface SilenceRecord {
  readonly id: number;
  readonly matcher: SilenceMatcher;
  readonly startsAt: number;
  readonly endsAt: number;
  readonly by: string;
  readonly comment: string;
}

/** Where alerts are told. */
export interface NotificationChannelRecord {
  /** As operators see it: what is secret is only named. */
  readonly channel: Omit<NotificationChannel, "target"> & { readonly target: NotificationTargetView };
  /** What operators wrote, by the field of the target: in no answer, log or record. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly changedAt: number;
}

/** A notification on its way to one channel, and what became of it. Times are ms since the epoch. */
export interface DeliveryRecord {
  readonly id: string;
  /** Grows: the order of their coming. */
  readonly sequence: number;
  readonly channel: string;
  readonly notification: Notification;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly createdAt: number;
  /** When it is tried next; null: it is not. */
  readonly nextAt: number | null;
  readonly endedAt: number | null;
  readonly lastError: string | null;
}

/** What decides without an operator. */
export interface PolicyRecord {
  readonly policy: Policy;
  readonly changedAt: number;
}

/** What a policy decided, once on the same evidence. */
export interface PolicyDecisionRecord {
  /** Its name; `task:NAME` is the release policy of a task. */
  readonly policy: string;
  /** Names the evidence. */
  readonly key: string;
  readonly outcome: PolicyOutcome;
  readonly object: {
    readonly model: ModelName | null;
    readonly version: ModelVersion | null;
    readonly task: TaskName | null;
  };
  readonly evidence: Readonly<Record<string, string | number | boolean | null>>;
  readonly reason: string;
  /** That a task was given. */
  readonly rounds: number;
  readonly at: number;
}

/** A request with an idempotency key, and what was answered to it. */
export interface IdempotentRequestRecord {
  /** A hash of the key and of who sent it. */
  readonly id: string;
  /** Its method and path. */
  readonly request: string;
  /** SHA-256; null while it is done. */
  readonly bodyDigest: string | null;
  readonly at: number;
  /** Null while it is done, and where the answer is not kept. */
  readonly answer: {
    readonly status: number;
    readonly contentType: string | null;
    readonly body: string;
  } | null;
}

/** An event to log: `type` is the SSE event name, `data` the view it carries (`roundEvent` and its siblings make them). */
export interface NewEvent {
  readonly type:
    | "rollout"
    | "withdrawal"
    | "round"
    | "task"
    | "version"
    | "suspicion"
    | "channel"
    | "alias"
    | "alert";
  readonly data: JsonValue;
}

/** A logged event. Ids grow, and are never used twice, also over restarts. */
export interface EventRecord extends NewEvent {
  readonly id: number;
  readonly at: number;
}
