import Type, { type Static } from "typebox";
import { AliasView, type AliasChange } from "./aliases.ts";
import { ChannelView, type ChannelChange } from "./channels.ts";
import { TaskSpec } from "./documents.ts";
import { GraphPorts } from "./graph-ports.ts";
import { GateView, VerdictView } from "./measurement-view.ts";
import type { RolloutView, WithdrawnVersionView } from "./rollout-view.ts";
import { TrustView } from "./trust-view.ts";
import { Lineage } from "./lineage.ts";
import { ROUND_PURPOSES } from "./measuring.ts";
import { pageOf, pageQuery } from "./page.ts";
import { SecureView } from "./secure-aggregation.ts";
import { TaskReason } from "./task-stop.ts";
import {
  DeviceIdSchema,
  DigestSchema,
  ModelNameSchema,
  ModelVersionSchema,
  nullable,
  PopulationNameSchema,
  readonlyArray,
  RoundIdSchema,
  TaskNameSchema,
  textEnum,
  TimestampSchema,
} from "./schema.ts";

const Base64Url = (bytes: number) =>
  Type.String({ pattern: "^[A-Za-z0-9_-]*$", maxLength: Math.ceil((bytes * 4) / 3) });
const Count = Type.Integer({ minimum: 0 });

/** Header with the base64url certificate of an upload: `Authorization: Tributary <certificate>`. */
export const CERTIFICATE_SCHEME = "Tributary";
/** Header with the base64url signature over `uploadMessage`. */
export const PROOF_HEADER = "tributary-proof";

/** Body of every answer that is an error, `application/problem+json` (RFC 9457). */
export const ProblemBody = Type.Object(
  {
    type: Type.String({ format: "uri-reference", description: "Where the code is explained" }),
    title: Type.String({ description: "What is wrong, the same for every occurrence" }),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    detail: Type.Optional(Type.String({ description: "The data as a text" })),
    instance: Type.Optional(
      Type.String({ format: "uri-reference", description: "This answer, as the log names its request" }),
    ),
    code: Type.String({ description: "What programs go by; a code is never renamed or reused" }),
    data: Type.Record(
      Type.String(),
      Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]),
      { description: "What it is about: a field, a limit, what was expected" },
    ),
    advice: Type.Optional(Type.String({ description: "What to do about it" })),
    retryable: Type.Boolean({ description: "Whether the same request can succeed later" }),
  },
  { description: "An error (RFC 9457)" },
);
export type ProblemBody = Static<typeof ProblemBody>;

/** `POST /v1/populations/:population/enrolments` */
export const EnrolmentRequest = Type.Object(
  {
    token: Type.String({ minLength: 1, maxLength: 4096 }),
    publicKey: Base64Url(32),
    proof: Base64Url(64),
  },
  { additionalProperties: false },
);
export type EnrolmentRequest = Static<typeof EnrolmentRequest>;

export const EnrolmentResponse = Type.Object({
  certificate: Base64Url(1024),
  deviceId: DeviceIdSchema,
  expiresAt: TimestampSchema,
});
export type EnrolmentResponse = Static<typeof EnrolmentResponse>;

/** `POST /v1/certificates` of an issuer: what a device's app asks with, on its behalf. */
export const CertificateRequest = Type.Object(
  {
    population: PopulationNameSchema,
    publicKey: Base64Url(32),
    /** Of the key; a device says it, and nobody has to. */
    deviceId: Type.Optional(DeviceIdSchema),
    /** The app's name for whom it is; recorded, not interpreted. */
    subject: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
  },
  { additionalProperties: false },
);
export type CertificateRequest = Static<typeof CertificateRequest>;

/** 202 of `PUT /v1/rounds/:roundId/updates/:digest`, and of a member's answer to a secure step */
export const UploadAccepted = Type.Object({ accepted: Type.Literal(true) });
export type UploadAccepted = Static<typeof UploadAccepted>;

/** 201 of `POST /v1/blobs` */
export const BlobCreated = Type.Object({ digest: DigestSchema, sizeBytes: Count });
export type BlobCreated = Static<typeof BlobCreated>;

export const ROUND_PHASES = [
  "selecting",
  "training",
  "reporting",
  "aggregating",
  "committed",
  "buffered",
  "abandoned",
] as const;
export type RoundPhase = (typeof ROUND_PHASES)[number];

/** When a round came into a phase. */
export const PhaseBegin = Type.Object({
  phase: textEnum(ROUND_PHASES),
  at: TimestampSchema,
  /** Before it. */
  dropouts: Count,
});
export type PhaseBegin = Static<typeof PhaseBegin>;

/** One round, as operators see it; sums only, nothing of a single device. */
export const RoundView = Type.Object({
  id: RoundIdSchema,
  task: TaskNameSchema,
  model: ModelNameSchema,
  number: Type.Integer({ minimum: 1 }),
  purpose: textEnum(ROUND_PURPOSES, { description: "Only rounds that train make versions" }),
  phase: textEnum(ROUND_PHASES),
  baseVersion: ModelVersionSchema,
  version: nullable(ModelVersionSchema),
  startedAt: TimestampSchema,
  endedAt: nullable(TimestampSchema),
  deadlineAt: nullable(TimestampSchema),
  phases: readonlyArray(PhaseBegin, {
    description: "The phases it came through, in order; none are kept of rounds of older coordinators",
  }),
  offered: Count,
  ready: Count,
  cohort: Count,
  reported: Count,
  dropouts: Count,
  refused: Count,
  numExamples: Count,
  trainLoss: nullable(Type.Number()),
  trainAccuracy: nullable(Type.Number()),
  loss: nullable(Type.Number()),
  accuracy: nullable(Type.Number()),
  bytesUp: Count,
  bytesDown: Count,
  seconds: nullable(Type.Number()),
  reason: nullable(Type.String()),
  /** Null: the task's updates are reported one by one, and the coordinator sees each. */
  secure: nullable(SecureView),
});
export type RoundView = Static<typeof RoundView>;

export const VersionView = Type.Object({
  model: ModelNameSchema,
  version: ModelVersionSchema,
  parentVersion: nullable(ModelVersionSchema),
  roundId: nullable(RoundIdSchema),
  createdAt: TimestampSchema,
  weightsDigest: DigestSchema,
  sizeBytes: Count,
  int8SizeBytes: Count,
  parameterCount: Count,
  loss: nullable(Type.Number()),
  accuracy: nullable(Type.Number()),
  metrics: Type.Unsafe<Readonly<Record<string, readonly number[]>>>(
    Type.Record(Type.String(), Type.Array(Type.Number()), {
      description: "On held-out data: means over the examples, of confusion counts",
    }),
  ),
  cohort: Count,
  numExamples: Count,
  strategy: nullable(
    Type.Object({
      name: Type.String(),
      parameters: Type.Unsafe<Readonly<Record<string, number>>>(Type.Record(Type.String(), Type.Number())),
    }),
    { description: "How it came from the updates of its round; null: it was published" },
  ),
  /** When the model's channel stable was last moved to it; null: it never was. */
  releasedAt: nullable(TimestampSchema),
  /** Of the gate of the task that made it; null: there was none, or none yet. */
  gate: nullable(VerdictView),
  /** Null where the strategy does not compare updates with the server's own. */
  trust: nullable(TrustView),
  /** Null of versions of before it was kept. */
  lineage: nullable(Lineage),
});
export type VersionView = Static<typeof VersionView>;

export const ModelView = Type.Object({
  name: ModelNameSchema,
  /** The newest: what tasks train from. */
  currentVersion: ModelVersionSchema,
  /** What the channel stable points to: what inference devices run that name no other. */
  releasedVersion: ModelVersionSchema,
  releasedAt: TimestampSchema,
  /** All of them, stable first. */
  channels: readonlyArray(ChannelView),
  /** By name. */
  aliases: readonlyArray(AliasView),
  parameterCount: Count,
  createdAt: TimestampSchema,
  versions: Count,
  inputs: GraphPorts,
  outputs: GraphPorts,
});
export type ModelView = Static<typeof ModelView>;

export const TASK_STATES = ["running", "paused", "finished"] as const;
export type TaskState = (typeof TASK_STATES)[number];

export const TaskView = Type.Object({
  name: TaskNameSchema,
  model: ModelNameSchema,
  population: PopulationNameSchema,
  state: textEnum(TASK_STATES),
  spec: TaskSpec,
  currentVersion: ModelVersionSchema,
  round: nullable(RoundView),
  roundsCommitted: Count,
  gate: nullable(GateView),
  createdAt: TimestampSchema,
  reason: nullable(TaskReason, { description: "Why it does not run; null while it runs" }),
});
export type TaskView = Static<typeof TaskView>;

/** Query of `POST /v1/models/:model/versions` */
export const PublishQuery = Type.Object({
  release: Type.Optional(
    Type.Boolean({
      default: true,
      description: "false: no channel points to it yet, so that it can be rolled out in steps",
    }),
  ),
  runtime: Type.Optional(
    Type.String({
      pattern: "^\\d{1,5}\\.\\d{1,5}\\.\\d{1,5}$",
      description: "Least version of the runtime that may run it",
    }),
  ),
  importedFrom: Type.Optional(
    Type.Unsafe<Static<typeof DigestSchema>>({
      ...DigestSchema,
      description: "SHA-256 of the manifest that it was exported with elsewhere: it is in the audit log",
    }),
  ),
});
export type PublishQuery = Static<typeof PublishQuery>;

/** `POST /v1/tasks/:task/state` */
export const TaskStateChange = Type.Object(
  {
    state: textEnum(["running", "paused"]),
    /** Rounds to run beyond those already committed; the task's `rounds` becomes the sum. */
    moreRounds: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
  },
  { additionalProperties: false },
);
export type TaskStateChange = Static<typeof TaskStateChange>;

/** `POST /v1/tasks/:task/head` */
export const TaskReset = Type.Object({ version: ModelVersionSchema }, { additionalProperties: false });
export type TaskReset = Static<typeof TaskReset>;

export const RESTORED_OPTIMIZERS = ["restored", "stateless", "anew"] as const;

/** A task that goes on from another version of its model. */
export const TaskResetView = Type.Object({
  task: TaskView,
  /** What tasks on the model trained from before. */
  from: ModelVersionSchema,
  optimizer: textEnum(RESTORED_OPTIMIZERS, {
    description:
      "What the server optimizer goes on with: what it remembered after the version, nothing because it remembers nothing, or nothing because what it remembered is not known",
  }),
});
export type TaskResetView = Static<typeof TaskResetView>;

/** Time from a push to running the version, over the devices that told it; from bins, so off by at most 26 %. */
export const PushView = Type.Object({
  count: Count,
  p50Ms: Type.Number({ minimum: 0 }),
  p99Ms: Type.Number({ minimum: 0 }),
});
export type PushView = Static<typeof PushView>;

/** Who vouches that devices are those of the app. */
export const IssuerView = Type.Object({
  /** `coordinator`: this server issues certificates itself, and so could invent members. */
  kind: textEnum(["coordinator", "outside"]),
  name: Type.String(),
  /** Raw Ed25519 public key, in hex. */
  publicKey: Type.String({ pattern: "^[0-9a-f]{64}$" }),
  /** Certificates in the log. */
  certificates: Count,
});
export type IssuerView = Static<typeof IssuerView>;

/** A version that did not take the place of the one that runs, on devices since the coordinator started. */
export const RefusedVersionView = Type.Object({
  model: Type.String(),
  version: Type.Integer({ minimum: 1 }),
  /** Of the error catalogue, such as runtime/self-check-failed. */
  code: Type.String(),
  devices: Count,
});
export type RefusedVersionView = Static<typeof RefusedVersionView>;

/** `GET /v1/status` */
export const StatusView = Type.Object({
  name: Type.String(),
  version: Type.String(),
  startedAt: TimestampSchema,
  uptimeSeconds: Type.Number({ minimum: 0 }),
  devices: Type.Object({ connected: Count, training: Count }),
  push: nullable(PushView),
  /** Released versions that devices do not run, newest first: they failed their self-check, or could not be loaded. */
  refusedVersions: readonlyArray(RefusedVersionView),
  models: Count,
  tasks: Count,
  storageProblem: nullable(
    Type.Object({
      code: Type.String({ description: "Code of the error catalogue, such as store/quota-exceeded" }),
      since: TimestampSchema,
    }),
    { description: "Why nothing can be stored at present" },
  ),
  demoUrl: nullable(Type.String({ description: "Where the demo is, if it was started with one" })),
  issuer: IssuerView,
});
export type StatusView = Static<typeof StatusView>;

export const ModelList = Type.Object({ models: readonlyArray(ModelView) });
export type ModelList = Static<typeof ModelList>;
/** Newest first */
export const VersionList = pageOf({ versions: readonlyArray(VersionView) });
export type VersionList = Static<typeof VersionList>;
export const TaskList = Type.Object({ tasks: readonlyArray(TaskView) });
export type TaskList = Static<typeof TaskList>;

/** Newest first */
export const RoundList = pageOf({ rounds: readonlyArray(RoundView) });
export type RoundList = Static<typeof RoundList>;

/** Query of `GET /v1/models/:model/versions`. A cursor is the number of the last version that was seen. */
export const VersionListQuery = Type.Object(pageQuery(500, 500));
export type VersionListQuery = Static<typeof VersionListQuery>;

/** Query of `GET /v1/tasks/:task/rounds`. A cursor is the number of the last round that was seen. */
export const RoundListQuery = Type.Object({
  number: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: Number.MAX_SAFE_INTEGER,
      description: "Only the round of this number",
    }),
  ),
  ...pageQuery(500, 100),
});
export type RoundListQuery = Static<typeof RoundListQuery>;

/** An update that did not count, who sent it, and why. */
export const RefusalView = Type.Object({
  device: Type.String({ pattern: "^[0-9a-f]{32}$" }),
  code: Type.String({ description: "Code of the error catalogue, such as update/not-finite" }),
  detail: Type.Unknown({ description: "What was found and what was expected" }),
  at: TimestampSchema,
});
export type RefusalView = Static<typeof RefusalView>;

/** Query of `GET /v1/rounds/:roundId/refusals` */
export const RefusalListQuery = Type.Object(pageQuery(500, 100));

/** `GET /v1/rounds/:roundId/refusals`, newest first */
export const RefusalList = pageOf({ refusals: readonlyArray(RefusalView) });
export type RefusalList = Static<typeof RefusalList>;

export const SUSPICION_STATES = ["suspected", "quarantined", "released"] as const;

/** A device in secure cohorts whose sums failed: nobody sees which member made them fail. */
export const SuspicionView = Type.Object({
  task: TaskNameSchema,
  device: DeviceIdSchema,
  points: Type.Integer({
    minimum: 0,
    description: "Cohorts with it that failed, or updates of it that were refused, since one held",
  }),
  state: textEnum(SUSPICION_STATES, {
    description: "quarantined: it takes no part until an operator releases it",
  }),
  roundId: Type.Unsafe<Static<typeof RoundIdSchema>>({
    ...RoundIdSchema,
    description: "The last round that failed",
  }),
  at: TimestampSchema,
});
export type SuspicionView = Static<typeof SuspicionView>;

/** `GET /v1/tasks/:task/suspicions` */
export const SuspicionList = Type.Object({ suspicions: readonlyArray(SuspicionView) });
export type SuspicionList = Static<typeof SuspicionList>;

/** Connected devices, and those with an open offer. */
export const DevicesView = Type.Object({ connected: Count, training: Count });
export type DevicesView = Static<typeof DevicesView>;

/** Server-sent events of `GET /v1/events`, by their `event:` name. */
export interface ServerEvents {
  round: RoundView;
  task: TaskView;
  version: VersionView;
  /** A device was quarantined, or an operator released one. */
  suspicion: SuspicionView;
  channel: ChannelChange;
  alias: AliasChange;
  rollout: RolloutView;
  withdrawal: WithdrawnVersionView;
  devices: DevicesView;
  /** The `Last-Event-ID` is too old or unknown: read everything again. */
  reset: Record<string, never>;
}
export type ServerEventName = keyof ServerEvents;
