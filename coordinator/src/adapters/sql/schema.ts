import type {
  DeviceId,
  Digest,
  ModelName,
  ModelVersion,
  PopulationName,
  RoundId,
  TaskName,
} from "@tributary/core";
import type { AuditActor, AuditObject, TaskState } from "@tributary/protocol";
import type { Generated } from "kysely";
import type { ApiTokenRecord, SessionRecord } from "../../ports/access-records.ts";
import type {
  AlertRecord,
  DeliveryRecord,
  PolicyDecisionRecord,
  SilenceRecord,
} from "../../ports/alert-records.ts";
import type { DeviceHealthRecord, DeviceRecord } from "../../ports/device-records.ts";
import type { EventRecord } from "../../ports/event-records.ts";
import type { AliasRecord, VersionStateRecord, WithdrawalRecord } from "../../ports/model-records.ts";
import type { RolloutRecord, WatchedDeviceRecord } from "../../ports/rollout-records.ts";
import type { RoundRecord } from "../../ports/round-records.ts";
import type { MeasurementRecord, ParticipationRecord, SuspicionRecord } from "../../ports/task-records.ts";

/** JSON text; parsed by the repository that owns the column. */
type JsonText = string;

export interface ModelsTable {
  name: ModelName;
  currentVersion: ModelVersion;
  parameters: JsonText;
  parameterCount: number;
  graphDigest: Digest;
  graphSizeBytes: number;
  trainingGraphDigest: Digest | null;
  trainingGraphSizeBytes: number | null;
  /** null: ONNX, as all were before there was another. */
  format: "tfjs" | null;
  explanation: JsonText | null;
  personalisation: JsonText | null;
  variants: JsonText | null;
  inputs: JsonText;
  outputs: JsonText;
  labels: JsonText | null;
  processing: JsonText | null;
  cardNotes: JsonText | null;
  retention: JsonText | null;
  createdAt: number;
}

export interface ChannelsTable {
  model: ModelName;
  name: string;
  version: ModelVersion;
  releasedAt: number;
}

export type AliasesTable = { -readonly [Column in keyof AliasRecord]: AliasRecord[Column] };

export interface VersionsTable {
  model: ModelName;
  version: ModelVersion;
  parentVersion: ModelVersion | null;
  roundId: RoundId | null;
  createdAt: number;
  graphDigest: Digest;
  graphSizeBytes: number;
  weightsDigest: Digest;
  weightsSizeBytes: number;
  int8Digest: Digest;
  int8SizeBytes: number;
  variants: JsonText | null;
  parameterCount: number;
  loss: number | null;
  accuracy: number | null;
  metrics: JsonText;
  cohort: number;
  numExamples: number;
  strategy: JsonText | null;
  releasedAt: number | null;
  gate: JsonText | null;
  trust: JsonText | null;
  selfCheck: JsonText | null;
  lineage: JsonText | null;
  requiredRuntime: string | null;
}

export interface TasksTable {
  name: TaskName;
  model: ModelName;
  population: PopulationName;
  state: TaskState;
  spec: JsonText;
  planNumber: number;
  planTarget: string;
  planDigest: Digest;
  planSizeBytes: number;
  gatePlan: JsonText | null;
  gate: JsonText | null;
  createdAt: number;
  reason: JsonText | null;
  activeSince: number;
}

/** A round's columns are the fields of its view, and its configuration. */
export type RoundsTable = Omit<RoundRecord, "config" | "secure" | "phases"> & {
  config: JsonText;
  secure: JsonText | null;
  /** Null of rounds of before they were kept. */
  phases: JsonText | null;
};

export interface BufferedCohortsTable {
  roundId: RoundId;
  task: TaskName;
  baseVersion: ModelVersion;
  updates: number;
  numExamples: number;
  sumDigest: Digest;
  sumSizeBytes: number;
  at: number;
  staleness: number | null;
  version: ModelVersion | null;
}

export type MeasurementsTable = Omit<MeasurementRecord, "metrics" | "sums"> & {
  metrics: JsonText;
  sums: JsonText;
};

export interface RoundInputsTable {
  roundId: RoundId;
  sequence: number;
  at: number;
  input: JsonText;
}

export interface TufMetadataTable {
  role: string;
  version: number;
  bytes: Uint8Array;
}

export interface TargetsTable {
  role: string;
  path: string;
  digest: Digest;
  sizeBytes: number;
  custom: JsonText | null;
}

export interface SigningRolesTable {
  role: string;
  model: ModelName | null;
  keys: JsonText;
  threshold: number;
}

export interface SigningDraftsTable {
  role: string;
  bytes: Uint8Array;
}

/** Every blob that a release ever listed. */
export interface ReleasedBlobsTable {
  digest: Digest;
  sizeBytes: number;
}

export interface DevicesTable {
  deviceId: DeviceId;
  population: PopulationName;
  publicKey: Uint8Array;
  state: DeviceRecord["state"];
  enrolledAt: number;
  certificateSerial: string;
  certificateExpiresAt: number;
  lastSeenAt: number | null;
  software: string | null;
  refusedBefore: number | null;
}

/** Which version of each model a device runs; its population stands here too, so that counting reads an index alone. */
export interface DeviceVersionsTable {
  deviceId: DeviceId;
  model: ModelName;
  version: ModelVersion;
  engine: string | null;
  population: PopulationName;
  at: number;
}

export interface DeviceTagsTable {
  tag: string;
  deviceId: DeviceId;
}

export interface FleetHoursTable {
  hour: number;
  population: PopulationName;
  checkIns: number;
  devices: number;
}

export interface AdoptionTable {
  model: ModelName;
  hour: number;
  version: ModelVersion;
  population: PopulationName;
  devices: number;
}

export interface CertificateLogTable {
  entryIndex: number;
  leafHash: Digest;
  deviceId: DeviceId;
  certificate: Uint8Array;
  at: number;
}

export interface CertificateLogNodesTable {
  level: number;
  nodeIndex: number;
  hash: Uint8Array;
}

export interface AuditRecordsTable {
  recordIndex: number;
  at: number;
  actorKind: AuditActor["kind"];
  actor: JsonText;
  action: string;
  object: JsonText;
  detail: JsonText;
  previous: Digest;
  hash: Digest;
}

/** Which records are about what: each field of their objects, as text. */
export interface AuditSubjectsTable {
  field: keyof AuditObject;
  value: string;
  recordIndex: number;
}

export interface AuditPseudonymsTable {
  deviceId: DeviceId;
  pseudonym: DeviceId;
}

export interface TokenUsesTable {
  tokenId: string;
  deviceId: DeviceId;
  at: number;
  expiresAt: number;
}

export interface RefusalsTable {
  id: Generated<number>;
  deviceId: DeviceId;
  roundId: RoundId;
  code: string;
  detail: JsonText;
  at: number;
}

export type ParticipationsTable = {
  -readonly [Column in keyof ParticipationRecord]: ParticipationRecord[Column];
};

export type DeviceHealthTable = {
  -readonly [Column in keyof Omit<DeviceHealthRecord, "counts" | "sessions">]: DeviceHealthRecord[Column];
} & { counts: JsonText; sessions: JsonText };

export type SuspicionsTable = { -readonly [Column in keyof SuspicionRecord]: SuspicionRecord[Column] };

export interface OptimizersTable {
  task: TaskName;
  version: ModelVersion;
  stateDigest: Digest;
  stateSizeBytes: number;
  residualDigest: Digest | null;
  residualSizeBytes: number | null;
}

export type VersionStatesTable = {
  -readonly [
    Column in "model" | "version" | "task" | "trainingRound" | "stepPrecision"
  ]: VersionStateRecord[Column];
} & { plan: JsonText; aggregate: JsonText | null; before: JsonText | null; after: JsonText | null };

export interface EventsTable {
  id: Generated<number>;
  type: EventRecord["type"];
  data: JsonText;
  at: number;
}

export interface SettingsTable {
  key: string;
  value: JsonText;
}

/** The tables as TypeScript sees them; in SQL the names are snake_case (CamelCasePlugin). */
export type RolloutsTable = {
  -readonly [Column in keyof RolloutRecord]: Column extends "config" | "state" | "evidence"
    ? JsonText
    : RolloutRecord[Column];
};

export type WatchedDevicesTable = {
  -readonly [Column in keyof WatchedDeviceRecord]: Column extends "baseline"
    ? JsonText | null
    : WatchedDeviceRecord[Column];
};

export interface IdempotentRequestsTable {
  id: string;
  request: string;
  bodyDigest: string | null;
  at: number;
  status: number | null;
  contentType: string | null;
  body: string | null;
}

export type WithdrawalsTable = { -readonly [Column in keyof WithdrawalRecord]: WithdrawalRecord[Column] };

export interface AlertRulesTable {
  name: string;
  rule: JsonText;
  changedAt: number;
}

export type AlertsTable = {
  -readonly [Column in keyof AlertRecord]: Column extends "id"
    ? Generated<number>
    : Column extends "subject"
      ? JsonText
      : Column extends "acknowledgement"
        ? JsonText | null
        : AlertRecord[Column];
};

export type SilencesTable = {
  -readonly [Column in keyof SilenceRecord]: Column extends "id"
    ? Generated<number>
    : Column extends "matcher"
      ? JsonText
      : SilenceRecord[Column];
};

export interface NotificationChannelsTable {
  name: string;
  channel: JsonText;
  secrets: JsonText;
  changedAt: number;
}

export type DeliveriesTable = {
  -readonly [Column in keyof DeliveryRecord]: Column extends "sequence"
    ? Generated<number>
    : Column extends "notification"
      ? JsonText
      : DeliveryRecord[Column];
};

export interface PoliciesTable {
  name: string;
  policy: JsonText;
  changedAt: number;
}

export type PolicyDecisionsTable = {
  -readonly [Column in keyof PolicyDecisionRecord]: Column extends "object" | "evidence"
    ? JsonText
    : PolicyDecisionRecord[Column];
} & { id: Generated<number> };

export interface AccountsTable {
  name: string;
  password: string;
  grants: JsonText;
  createdAt: number;
  passwordChangedAt: number;
}

export type SessionsTable = {
  -readonly [Column in keyof SessionRecord]: Column extends "grants" | "vouched"
    ? JsonText | null
    : SessionRecord[Column];
};

export type ApiTokensTable = {
  -readonly [Column in keyof ApiTokenRecord]: Column extends "grants" ? JsonText : ApiTokenRecord[Column];
};

export interface Database {
  models: ModelsTable;
  channels: ChannelsTable;
  /** What channels pointed to. */
  channelHistory: ChannelsTable;
  aliases: AliasesTable;
  versions: VersionsTable;
  versionStates: VersionStatesTable;
  tasks: TasksTable;
  rounds: RoundsTable;
  bufferedCohorts: BufferedCohortsTable;
  measurements: MeasurementsTable;
  roundInputs: RoundInputsTable;
  tufMetadata: TufMetadataTable;
  targets: TargetsTable;
  signingRoles: SigningRolesTable;
  signingDrafts: SigningDraftsTable;
  releasedBlobs: ReleasedBlobsTable;
  devices: DevicesTable;
  deviceVersions: DeviceVersionsTable;
  deviceTags: DeviceTagsTable;
  fleetHours: FleetHoursTable;
  adoption: AdoptionTable;
  certificateLog: CertificateLogTable;
  certificateLogNodes: CertificateLogNodesTable;
  auditRecords: AuditRecordsTable;
  auditSubjects: AuditSubjectsTable;
  auditPseudonyms: AuditPseudonymsTable;
  tokenUses: TokenUsesTable;
  refusals: RefusalsTable;
  suspicions: SuspicionsTable;
  participations: ParticipationsTable;
  deviceHealth: DeviceHealthTable;
  rollouts: RolloutsTable;
  watchedDevices: WatchedDevicesTable;
  withdrawals: WithdrawalsTable;
  alertRules: AlertRulesTable;
  alerts: AlertsTable;
  silences: SilencesTable;
  notificationChannels: NotificationChannelsTable;
  deliveries: DeliveriesTable;
  policies: PoliciesTable;
  policyDecisions: PolicyDecisionsTable;
  idempotentRequests: IdempotentRequestsTable;
  optimizers: OptimizersTable;
  events: EventsTable;
  accounts: AccountsTable;
  sessions: SessionsTable;
  apiTokens: ApiTokensTable;
  settings: SettingsTable;
}
