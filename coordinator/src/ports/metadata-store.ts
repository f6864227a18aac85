import type {
  DeviceId,
  Digest,
  ModelName,
  ModelVersion,
  PopulationName,
  RoundId,
  TaskName,
} from "@tributary/core";
import type {
  AlertState,
  AuditAction,
  AuditActor,
  AuditHead,
  AuditObject,
  AuditRecord,
  NewAuditRecord,
  RetentionRule,
  SearchKind,
  SearchResult,
  TaskReason,
  TaskSpec,
  TaskState,
} from "@tributary/protocol";
import type { Query } from "../search/query.ts";
import type { AccountRepository, ApiTokenRepository, SessionRepository } from "./access-repositories.ts";
import type {
  AlertRecord,
  AlertRuleRecord,
  AliasRecord,
  BufferedCohortRecord,
  ChannelRecord,
  DeliveryRecord,
  DeviceHealthRecord,
  DeviceRecord,
  DraftRecord,
  EventRecord,
  JournalEntry,
  JsonValue,
  AdoptionRecord,
  DeviceNews,
  FleetCounts,
  FleetDeviceRecord,
  FleetFilter,
  FleetHourRecord,
  LogEntryRecord,
  LogNodeRecord,
  GateRecord,
  IdempotentRequestRecord,
  MeasurementRecord,
  ModelRecord,
  NewEvent,
  NotificationChannelRecord,
  OptimizerRecord,
  ParticipationRecord,
  PolicyDecisionRecord,
  PolicyRecord,
  RefusalRecord,
  ReleaseChange,
  RoleRecord,
  RolloutRecord,
  RoundRecord,
  SignedMetadata,
  SilenceRecord,
  SuspicionRecord,
  TargetRecord,
  TaskRecord,
  TokenUse,
  VersionRecord,
  VersionStateRecord,
  WatchedDeviceRecord,
  WithdrawalRecord,
} from "./records.ts";

export interface ModelRepository {
  /** @throws `store/conflict` when the name is taken. */
  insert(model: ModelRecord): Promise<void>;
  get(name: ModelName): Promise<ModelRecord | undefined>;
  /** By name. */
  list(): Promise<ModelRecord[]>;
  /** @throws `store/not-found` */
  setCardNotes(name: ModelName, notes: NonNullable<ModelRecord["cardNotes"]>): Promise<void>;
  /** @throws `store/not-found` */
  setRetention(name: ModelName, rule: RetentionRule): Promise<void>;
  /** Training goes on from the version, newer or older. @throws `store/not-found` where there is no such version */
  resetHead(name: ModelName, version: ModelVersion): Promise<void>;
}

/** What devices ask models by. The channel stable comes with the model. */
export interface ChannelRepository {
  get(model: ModelName, name: string): Promise<ChannelRecord | undefined>;
  /** Of a model, stable first, then by name. */
  list(model: ModelName): Promise<ChannelRecord[]>;
  /**
   * Points a channel to a version; one that is not there is made. With stable goes the alias `champion`, and the version notes it.
   *
   * @throws `store/not-found`
   */
  move(channel: ChannelRecord): Promise<void>;
  /** Its history stays. @returns false where there is none */
  remove(model: ModelName, name: string): Promise<boolean>;
  /**
   * What channels pointed to: each version of each channel once, when the channel was last moved there; the newest first.
   *
   * @param options.name of one channel
   * @param options.before rows of that channel that come after this place
   */
  history(
    model: ModelName,
    options?: {
      readonly name?: string;
      readonly limit?: number;
      readonly before?: Pick<ChannelRecord, "releasedAt" | "version">;
    },
  ): Promise<ChannelRecord[]>;
}

/** What versions are called beside their numbers. */
export interface AliasRepository {
  get(model: ModelName, name: string): Promise<AliasRecord | undefined>;
  /** Of a model, by name. */
  list(model: ModelName): Promise<AliasRecord[]>;
  /** Gives a version the name, and takes it from the one that had it. @throws `store/not-found` */
  move(alias: AliasRecord): Promise<void>;
  /** @returns false where there is none */
  remove(model: ModelName, name: string): Promise<boolean>;
}

export interface VersionRepository {
  /**
   * Adds a version and makes it the model's current one, and where it says `releasedAt` what the channel stable points to,
   * and the alias `champion`.
   * @throws `store/conflict` when the number is taken, the round made a version already, or the parent is not the current version.
   */
  insert(version: VersionRecord): Promise<void>;
  get(model: ModelName, version: ModelVersion): Promise<VersionRecord | undefined>;
  /** Newest first. */
  list(
    model: ModelName,
    options?: { readonly limit?: number; readonly before?: ModelVersion },
  ): Promise<VersionRecord[]>;
  count(model: ModelName): Promise<number>;
  /** @throws `store/not-found` */
  setGate(model: ModelName, version: ModelVersion, gate: NonNullable<VersionRecord["gate"]>): Promise<void>;
  /** Says which runtime a version needs, from its next manifest on. @throws `store/not-found` */
  setRequiredRuntime(model: ModelName, version: ModelVersion, runtime: string | null): Promise<void>;
}

/** What versions came from, and what their tasks remembered after them. */
export interface VersionStateRepository {
  /** @throws `store/conflict` when the version has one, `store/not-found` when it is not there */
  insert(state: VersionStateRecord): Promise<void>;
  get(model: ModelName, version: ModelVersion): Promise<VersionStateRecord | undefined>;
  /** Newest first. */
  list(model: ModelName): Promise<VersionStateRecord[]>;
  /** Forgets those of all versions up to this one, but for `kept`. */
  forget(model: ModelName, upTo: ModelVersion, kept: readonly ModelVersion[]): Promise<void>;
}

export interface TaskRepository {
  /** @throws `store/conflict` when the name is taken, `store/not-found` when the model is not there. */
  insert(task: TaskRecord): Promise<void>;
  get(name: TaskName): Promise<TaskRecord | undefined>;
  /** By creation, oldest first. */
  list(): Promise<TaskRecord[]>;
  /**
   * @param more.reason why it does not run; null where it is left out
   * @param more.activeSince where it runs anew
   * @throws `store/not-found`
   */
  setState(
    name: TaskName,
    state: TaskState,
    more?: { readonly reason?: TaskReason | null; readonly activeSince?: number },
  ): Promise<void>;
  /** Replaces the spec, for what may change in a task's life (how many rounds). @throws `store/not-found` */
  setSpec(name: TaskName, spec: TaskSpec): Promise<void>;
  /** @throws `store/not-found` */
  setGate(name: TaskName, gate: GateRecord): Promise<void>;
  /** Replaces the plans by those of the next number. @throws `store/not-found` */
  setPlan(name: TaskName, plan: TaskRecord["plan"], gatePlan: TaskRecord["gatePlan"]): Promise<void>;
}

export interface RoundRepository {
  /** @throws `store/conflict` when the id, or the number within the task, is taken. */
  insert(round: RoundRecord): Promise<void>;
  /** Replaces the row of the same id. @throws `store/not-found`; `store/conflict` when the stored row has already ended. */
  update(round: RoundRecord): Promise<void>;
  get(id: RoundId): Promise<RoundRecord | undefined>;
  /** Newest first; `before` is a round number (exclusive). */
  list(
    task: TaskName,
    options?: { readonly limit?: number; readonly before?: number },
  ): Promise<RoundRecord[]>;
  /** Rounds that trained and made a version, oldest first: of many the newest. `upTo` is a round number (inclusive). */
  course(
    task: TaskName,
    options: { readonly limit: number; readonly upTo?: number },
  ): Promise<readonly CourseRound[]>;
  /** Rounds that ended in a sum, newest first. */
  summed(task: TaskName, limit: number): Promise<readonly SummedRound[]>;
  /** That the task's newest such round made; null: there was none. */
  newestVersion(task: TaskName): Promise<ModelVersion | null>;
  /** Rounds with `endedAt` null: at most one of a synchronous task, more only after a crash. Oldest first. */
  open(): Promise<RoundRecord[]>;
  /** The highest round number of a task, 0 when there is none. Numbers continue from it. */
  lastNumber(task: TaskName): Promise<number>;
  /** Versions that the task's rounds have made, and rounds that made none and counted for the task itself: not those of its gate. */
  countCommitted(task: TaskName): Promise<number>;
  /** Versions that the task made, of those that this one grew out of, and it itself. */
  countVersions(task: TaskName, upTo: ModelVersion): Promise<number>;
  /**
   * Writes what became of cohorts whose sums had been buffered.
   * @throws `store/conflict` when one of them is none
   */
  settleBuffered(ids: readonly RoundId[], fate: BufferedFate): Promise<void>;
  /** Finished updates that were discarded because no cohort of a task was filled on their base. */
  countSuperseded(task: TaskName): Promise<number>;
}

/** What a curve is drawn of. */
export type CourseRound = Pick<
  RoundRecord,
  | "number"
  | "version"
  | "startedAt"
  | "endedAt"
  | "numExamples"
  | "loss"
  | "accuracy"
  | "trainLoss"
  | "trainAccuracy"
>;

/** What hid a single update in a round's sum. */
export interface SummedRound extends Pick<RoundRecord, "number" | "purpose" | "startedAt"> {
  /** In the sum. */
  readonly devices: number;
  /** Fewest members that any sum of it could have had; null: updates were reported one by one. */
  readonly threshold: number | null;
  readonly private: boolean;
}

/** In a version, with what was measured of it; or in none, and why. */
export type BufferedFate =
  | {
      readonly phase: "committed";
      readonly version: ModelVersion;
      readonly loss: number | null;
      readonly accuracy: number | null;
    }
  | { readonly phase: "abandoned"; readonly reason: string };

/** Sums of cohorts that wait for their version, and those that have one. */
export interface BufferedCohortRepository {
  /** @throws `store/conflict` when the round has one already */
  insert(cohort: BufferedCohortRecord): Promise<void>;
  /** Those that wait, in the order of their coming. */
  pending(task: TaskName): Promise<BufferedCohortRecord[]>;
  /** Newest first. */
  list(task: TaskName, options?: { readonly limit?: number }): Promise<BufferedCohortRecord[]>;
  /** @throws `store/conflict` when one of them waits no more */
  commit(
    cohorts: readonly { readonly roundId: RoundId; readonly staleness: number }[],
    version: ModelVersion,
  ): Promise<void>;
  /** Forgets sums that will be in no version. @throws `store/not-found` */
  discard(roundIds: readonly RoundId[]): Promise<void>;
}

/** What the search looks through: versions, rounds and tasks. */
export interface SearchRepository {
  /** Of one kind, newest first. */
  find(search: Search): Promise<Found>;
}

/** The place of a row: the time it was made or began, then its kind, then its key. */
export interface SearchPlace {
  readonly at: number;
  readonly kind: SearchKind;
  readonly key: string;
}

export interface Search {
  readonly kind: SearchKind;
  /** All fields in it are known of the kind. */
  readonly query: Query;
  /** Only rows of these are looked at; null: of any. */
  readonly models: readonly ModelName[] | null;
  /** What "ago" counts from. */
  readonly now: number;
  /** Only rows after it, which are older. */
  readonly after: SearchPlace | undefined;
  readonly limit: number;
  /** Rows that are looked at, at most. */
  readonly scan: number;
}

export interface Found {
  readonly hits: readonly (SearchHit & SearchPlace)[];
  /** The last row that was looked at; undefined: all were. */
  readonly until: SearchPlace | undefined;
}

/** What is told of a version, a round or a task that was found. */
export type SearchHit = Omit<SearchResult, "kind" | "at">;

export interface MeasurementRepository {
  /** @throws `store/conflict` when the round has one. */
  insert(measurement: MeasurementRecord): Promise<void>;
  /** Newest first; `before` is a place (exclusive). */
  list(
    task: TaskName,
    options?: { readonly limit?: number; readonly before?: Pick<MeasurementRecord, "at" | "roundId"> },
  ): Promise<MeasurementRecord[]>;
  /** The newest that measured both versions of a model on the same examples, whichever was the candidate. */
  ofPair(model: ModelName, a: ModelVersion, b: ModelVersion): Promise<MeasurementRecord | undefined>;
  /** The oldest: what later ones are compared with. */
  first(task: TaskName): Promise<MeasurementRecord | undefined>;
  /** Forgets of each task all but the newest `keep` and the first. */
  prune(keep: number): Promise<void>;
}

export interface JournalRepository {
  /** @throws `store/conflict` when a sequence number is taken. */
  append(entries: readonly JournalEntry[]): Promise<void>;
  /** By sequence. */
  read(roundId: RoundId): Promise<JournalEntry[]>;
  /** Forgets the journals of rounds that ended before the time. */
  prune(endedBefore: number): Promise<void>;
}

export interface ReleaseRepository {
  /**
   * Stores newly signed metadata and the targets rows it lists.
   * @throws `store/conflict` when another release was committed since the numbers were allocated, or a role's version is taken.
   */
  apply(change: ReleaseChange): Promise<void>;
  /** Adds metadata outside a release: the first root. @throws `store/conflict` */
  insert(metadata: SignedMetadata): Promise<void>;
  metadata(role: string, version: number): Promise<SignedMetadata | undefined>;
  latest(role: string): Promise<SignedMetadata | undefined>;
  /** The newest of every role. */
  allLatest(): Promise<SignedMetadata[]>;
  /** Who is to sign for each role, by its name. */
  roles(): Promise<RoleRecord[]>;
  drafts(): Promise<DraftRecord[]>;
  target(path: string): Promise<TargetRecord | undefined>;
  /**
   * Whether a blob is, or was, a target: what may be served to everyone. Earlier ones stay, for devices that still
   * read an earlier release.
   */
  isReleased(digest: Digest): Promise<boolean>;
  /** All current targets, by path and role. */
  targets(): Promise<TargetRecord[]>;
  /** Forgets all but the newest `keep` versions of every role; roots stay, devices walk their chain. */
  prune(keep: number): Promise<void>;
}

export interface DeviceRepository {
  /** Adds a device, or renews its certificate; its key never changes (its id is a hash of it). */
  enrol(device: DeviceRecord): Promise<void>;
  get(deviceId: DeviceId): Promise<DeviceRecord | undefined>;
  /** By id; `after` is exclusive. */
  list(options?: {
    readonly population?: PopulationName;
    readonly limit?: number;
    readonly after?: DeviceId;
  }): Promise<DeviceRecord[]>;
  /** @param options.certifiedAt only those whose newest certificate holds then: who left is out of it within a week */
  count(population?: PopulationName, options?: { readonly certifiedAt?: number }): Promise<number>;
  /**
   * @param refusedBefore where it is given: certificates at lower places of the log are refused from then on
   * @throws `store/not-found`
   */
  setState(deviceId: DeviceId, state: DeviceRecord["state"], refusedBefore?: number): Promise<void>;
  /**
   * Forgets a device: its row, what it told of itself, what was suspected of it, and how it fared. What has to be kept of what it did (that it used a token, took part in
   * a round, was refused) goes on under `pseudonym`; nothing leads from the device to its name in the audit log any more.
   *
   * @returns false where there is none
   */
  erase(deviceId: DeviceId, pseudonym: DeviceId): Promise<boolean>;
  /**
   * Counts a device against an enrolment token: `used` the first time, `already` when this device used it before,
   * `exhausted` when `maxUses` other devices did.
   */
  useToken(use: TokenUse): Promise<"used" | "already" | "exhausted">;
  forgetTokens(expiredBefore: number): Promise<void>;
}

/** What devices tell of themselves, and the fleet that they are. */
export interface FleetRepository {
  /** Writes what was heard; of devices that are not active, nothing is. */
  record(news: readonly DeviceNews[]): Promise<void>;
  /** Replaces what the app's backend says of a device. */
  setTags(deviceId: DeviceId, tags: readonly string[]): Promise<void>;
  /** By id; `after` is exclusive. */
  list(
    filter: FleetFilter,
    page: { readonly limit: number; readonly after?: DeviceId },
  ): Promise<FleetDeviceRecord[]>;
  count(filter: FleetFilter): Promise<number>;
  get(deviceId: DeviceId): Promise<FleetDeviceRecord | undefined>;
  /** Devices that were seen from a time on; at most `limit` groups of each kind. */
  counts(of: {
    readonly population?: PopulationName;
    readonly seenSince: number;
    readonly limit: number;
  }): Promise<FleetCounts>;
  /** Notes for an hour which versions run on how many devices, in the place of what was noted for it. */
  noteAdoption(hour: number): Promise<void>;
  /** Oldest first. */
  hours(of: { readonly since: number; readonly population?: PopulationName }): Promise<FleetHourRecord[]>;
  /** Of a model, oldest first. */
  adoption(
    model: ModelName,
    of: { readonly since: number; readonly population?: PopulationName },
  ): Promise<AdoptionRecord[]>;
  /** Forgets hours, and which versions ran on devices that were not seen since. */
  prune(before: { readonly hour: number; readonly seenBefore: number }): Promise<void>;
}

/** An append-only log: nothing in it is ever changed or removed. */
export interface CertificateLogRepository {
  /** Entries; the next one's index. */
  size(): Promise<number>;
  /**
   * Adds an entry with the hashes of the full subtrees that it completes.
   * @throws `store/conflict` when the index is not the next one, or the certificate is in the log already.
   */
  append(entry: LogEntryRecord, nodes: readonly LogNodeRecord[]): Promise<void>;
  /** Places of the certificates that are in the log, by leaf hash. */
  indicesOf(leafHashes: readonly Digest[]): Promise<ReadonlyMap<Digest, number>>;
  newestOf(deviceId: DeviceId): Promise<LogEntryRecord | undefined>;
  /** In order, from `start`. */
  entries(start: number, limit: number): Promise<LogEntryRecord[]>;
  /** Hashes in the order asked for. @throws `store/corrupt` when one is not there. */
  nodes(wanted: readonly Pick<LogNodeRecord, "level" | "index">[]): Promise<Uint8Array<ArrayBuffer>[]>;
}

/** What is looked for in the audit log: records of which all that is given holds. */
export interface AuditFilter {
  readonly actor?: AuditActor["kind"];
  readonly action?: AuditAction;
  /** Each field of the record's object. */
  readonly object?: AuditObject;
  /** Times in ms since the epoch: from `since` on, and before `until`. */
  readonly since?: number;
  readonly until?: number;
}

/** The audit log, append-only: nothing in it is ever changed or removed, not by pruning either. */
export interface AuditRepository {
  /** The last record's place and hash. */
  head(): Promise<AuditHead>;
  /** Adds records at the end, each with the hash of the one before it. Meant to be part of the transaction that does what they say. */
  append(records: readonly NewAuditRecord[], at: number): Promise<AuditRecord[]>;
  get(index: number): Promise<AuditRecord | undefined>;
  /** In order, from an index on. */
  read(from: number, limit: number): Promise<AuditRecord[]>;
  /** Newest first; `before` is an index (exclusive). */
  list(
    filter: AuditFilter,
    options: { readonly limit: number; readonly before?: number },
  ): Promise<AuditRecord[]>;
  /** Records of an action. */
  count(action: AuditAction): Promise<number>;
  /** By what name the log knows a device; undefined where it does not. */
  pseudonym(deviceId: DeviceId): Promise<DeviceId | undefined>;
  /** Gives a device a name in the log, unless it has one. @returns the name that it has */
  setPseudonym(deviceId: DeviceId, pseudonym: DeviceId): Promise<DeviceId>;
}

export interface RefusalRepository {
  add(refusal: Omit<RefusalRecord, "id">): Promise<void>;
  /** Newest first; `before` is an id (exclusive). */
  list(filter: {
    readonly deviceId?: DeviceId;
    readonly roundId?: RoundId;
    readonly limit?: number;
    readonly before?: number;
  }): Promise<RefusalRecord[]>;
  count(deviceId: DeviceId, since?: number): Promise<number>;
}

export interface SuspicionRepository {
  /** Of a task: the quarantined first, then the most suspected. */
  list(task: TaskName): Promise<SuspicionRecord[]>;
  get(task: TaskName, deviceId: DeviceId): Promise<SuspicionRecord | undefined>;
  /** Adds or replaces. */
  put(records: readonly SuspicionRecord[]): Promise<void>;
  /** Those that are not there are no error. */
  remove(task: TaskName, devices: readonly DeviceId[]): Promise<void>;
}

/** How versions fare on single devices. */
export interface DeviceHealthRepository {
  get(
    key: Pick<DeviceHealthRecord, "deviceId" | "model" | "version">,
  ): Promise<DeviceHealthRecord | undefined>;
  /** Adds or replaces; of one device all but the `keep` newest go. */
  put(record: DeviceHealthRecord, keep: number): Promise<void>;
  /** Of a model by version, newest first, and device; `after` is exclusive. */
  list(
    model: ModelName,
    options: { readonly limit: number; readonly after?: Pick<DeviceHealthRecord, "deviceId" | "version"> },
  ): Promise<DeviceHealthRecord[]>;
  /** What devices told of a version from a time on, by device. */
  toldSince(model: ModelName, version: ModelVersion, at: number): Promise<DeviceHealthRecord[]>;
  /** Devices that told of any version. */
  countDevices(): Promise<number>;
  /** Forgets what was told before the time. */
  prune(toldBefore: number): Promise<void>;
}

export interface RolloutRepository {
  /** @throws `store/conflict` when the name is taken, or another one of the channel is under way. */
  insert(record: RolloutRecord): Promise<void>;
  /** Replaces the row of the same name. @throws `store/conflict` when it has ended, or is not there. */
  update(record: RolloutRecord): Promise<void>;
  get(model: ModelName, rollout: string): Promise<RolloutRecord | undefined>;
  /** Newest first; `before` is a number (exclusive). */
  list(
    model: ModelName,
    options?: { readonly limit?: number; readonly before?: number },
  ): Promise<RolloutRecord[]>;
  /** Those that have not ended, of a model or of all. */
  underWay(model?: ModelName): Promise<RolloutRecord[]>;
  /** 0 where there was none. */
  lastNumber(model: ModelName): Promise<number>;
  /** Adds or replaces. */
  putWatched(records: readonly WatchedDeviceRecord[]): Promise<void>;
  /** By version and device. */
  watched(of: Pick<RolloutRecord, "model" | "rollout">): Promise<WatchedDeviceRecord[]>;
  /** Nothing of single devices is kept of a rollout that has ended. */
  forgetWatched(of: Pick<RolloutRecord, "model" | "rollout">): Promise<void>;
}

/** Nothing in it is changed or removed: a version that was withdrawn stays so. */
export interface WithdrawalRepository {
  /** @throws `store/conflict` where it was withdrawn before, `store/not-found` without the model. */
  insert(record: WithdrawalRecord): Promise<void>;
  get(model: ModelName, version: ModelVersion): Promise<WithdrawalRecord | undefined>;
  /** Newest versions first. */
  list(model: ModelName): Promise<WithdrawalRecord[]>;
}

/** Rules that operators made or changed. */
export interface AlertRuleRepository {
  /** By name. */
  list(): Promise<AlertRuleRecord[]>;
  get(name: string): Promise<AlertRuleRecord | undefined>;
  /** Adds or replaces. */
  put(record: AlertRuleRecord): Promise<void>;
  /** @returns false where there is none */
  remove(name: string): Promise<boolean>;
}

export interface AlertRepository {
  /** @throws `store/conflict` when one of the same fingerprint has not resolved */
  insert(alert: Omit<AlertRecord, "id">): Promise<AlertRecord>;
  /** Replaces the row of the same id. @throws `store/not-found` */
  update(alert: AlertRecord): Promise<void>;
  /** One that never fired leaves nothing. Those that are not there are no error. */
  remove(ids: readonly number[]): Promise<void>;
  get(id: number): Promise<AlertRecord | undefined>;
  /** Those that have not resolved, of a rule or of all, by id. */
  open(rule?: string): Promise<AlertRecord[]>;
  /** Those that have resolved, and of which it was told last that they fire, by id. */
  untold(): Promise<AlertRecord[]>;
  /** Newest first; `before` is an id (exclusive). */
  list(options: {
    readonly state?: AlertState;
    readonly rule?: string;
    readonly limit: number;
    readonly before?: number;
  }): Promise<AlertRecord[]>;
  /** Forgets all but the newest `keep` of those that have resolved and been told. */
  prune(keep: number): Promise<void>;
}

export interface SilenceRepository {
  insert(silence: Omit<SilenceRecord, "id">): Promise<SilenceRecord>;
  get(id: number): Promise<SilenceRecord | undefined>;
  /** Those that end later than that, by when they end. */
  list(options: { readonly endsAfter: number }): Promise<SilenceRecord[]>;
  /** @throws `store/not-found` */
  end(id: number, at: number): Promise<void>;
  /** Forgets those that ended before the time. */
  prune(endedBefore: number): Promise<void>;
}

export interface NotificationChannelRepository {
  /** By name. */
  list(): Promise<NotificationChannelRecord[]>;
  get(name: string): Promise<NotificationChannelRecord | undefined>;
  /** Adds or replaces. */
  put(record: NotificationChannelRecord): Promise<void>;
  /** @returns false where there is none */
  remove(name: string): Promise<boolean>;
}

/** The queue of what is to be told, and what became of it. */
export interface DeliveryRepository {
  /** @throws `store/conflict` when the id is taken */
  insert(delivery: Omit<DeliveryRecord, "sequence">): Promise<DeliveryRecord>;
  /** Replaces the row of the same id. @throws `store/not-found` */
  update(delivery: DeliveryRecord): Promise<void>;
  /** Queued, of one channel or of all, in the order of their coming. */
  queued(channel?: string): Promise<DeliveryRecord[]>;
  /** Of one channel, newest first; `before` is a sequence (exclusive). */
  list(
    channel: string,
    options: { readonly limit: number; readonly before?: number },
  ): Promise<DeliveryRecord[]>;
  /** Forgets all but the newest `keep` of a channel that are not queued. */
  prune(channel: string, keep: number): Promise<void>;
}

export interface PolicyRepository {
  /** By name. */
  list(): Promise<PolicyRecord[]>;
  get(name: string): Promise<PolicyRecord | undefined>;
  /** Adds or replaces. */
  put(record: PolicyRecord): Promise<void>;
  /** Its decisions stay. @returns false where there is none */
  remove(name: string): Promise<boolean>;
}

export interface PolicyDecisionRepository {
  /**
   * Stores a decision, also in the place of one on the same evidence that failed.
   *
   * @throws `store/conflict` where one on the same evidence did not fail
   */
  put(decision: PolicyDecisionRecord): Promise<void>;
  get(policy: string, key: string): Promise<PolicyDecisionRecord | undefined>;
  /** Newest first, of a policy or of all; from a time on; `before` is a place (exclusive). */
  list(options: {
    readonly policy?: string;
    readonly since?: number;
    readonly limit: number;
    readonly before?: Pick<PolicyDecisionRecord, "at" | "policy" | "key">;
  }): Promise<PolicyDecisionRecord[]>;
  /** Forgets those of before the time. */
  prune(before: number): Promise<void>;
}

/** Requests that must not be done twice. */
export interface IdempotentRequestRepository {
  /** @throws `store/conflict` where the id is taken */
  begin(request: Pick<IdempotentRequestRecord, "id" | "request" | "at">): Promise<void>;
  get(id: string): Promise<IdempotentRequestRecord | undefined>;
  /** @param answer - null: what was answered is not kept */
  finish(id: string, bodyDigest: string | null, answer: IdempotentRequestRecord["answer"]): Promise<void>;
  /** It may be sent again, as nothing came of it. */
  forget(id: string): Promise<void>;
  prune(begunBefore: number): Promise<void>;
  count(): Promise<number>;
}

export interface ParticipationRepository {
  /** Of a task, the newest rounds first. */
  list(task: TaskName, limit: number): Promise<ParticipationRecord[]>;
  /** Adds or replaces. */
  put(records: readonly ParticipationRecord[]): Promise<void>;
}

export interface OptimizerRepository {
  get(task: TaskName): Promise<OptimizerRecord | undefined>;
  put(record: OptimizerRecord): Promise<void>;
  /** It begins anew. Where it remembers nothing, that is no error. */
  remove(task: TaskName): Promise<void>;
}

export interface EventRepository {
  /** Logs events in order; publish what it returns on the bus, topic `event`, once the transaction is through. */
  append(events: readonly NewEvent[], at: number): Promise<EventRecord[]>;
  /** Events with a greater id, oldest first. */
  after(id: number, limit: number): Promise<EventRecord[]>;
  /** Ids of the oldest kept and the newest ever logged event; `newest` is 0 when none ever was. */
  bounds(): Promise<{ readonly oldest: number; readonly newest: number }>;
  /** Forgets all but the newest `keep`. */
  prune(keep: number): Promise<void>;
}

/** Small named values that outlive the process. */
export interface SettingsRepository {
  get(key: string): Promise<JsonValue | undefined>;
  set(key: string, value: JsonValue): Promise<void>;
}

/** What can be read and written inside one transaction. */
export interface MetadataRepositories {
  readonly models: ModelRepository;
  readonly channels: ChannelRepository;
  readonly aliases: AliasRepository;
  readonly versions: VersionRepository;
  readonly versionStates: VersionStateRepository;
  readonly tasks: TaskRepository;
  readonly rounds: RoundRepository;
  readonly bufferedCohorts: BufferedCohortRepository;
  readonly search: SearchRepository;
  readonly measurements: MeasurementRepository;
  readonly journal: JournalRepository;
  readonly releases: ReleaseRepository;
  readonly devices: DeviceRepository;
  readonly fleet: FleetRepository;
  readonly certificateLog: CertificateLogRepository;
  readonly audit: AuditRepository;
  readonly refusals: RefusalRepository;
  readonly suspicions: SuspicionRepository;
  readonly participations: ParticipationRepository;
  readonly deviceHealth: DeviceHealthRepository;
  readonly rollouts: RolloutRepository;
  readonly withdrawals: WithdrawalRepository;
  readonly alertRules: AlertRuleRepository;
  readonly alerts: AlertRepository;
  readonly silences: SilenceRepository;
  readonly notificationChannels: NotificationChannelRepository;
  readonly deliveries: DeliveryRepository;
  readonly policies: PolicyRepository;
  readonly policyDecisions: PolicyDecisionRepository;
  readonly idempotentRequests: IdempotentRequestRepository;
  readonly optimizers: OptimizerRepository;
  readonly events: EventRepository;
  readonly accounts: AccountRepository;
  readonly sessions: SessionRepository;
  readonly apiTokens: ApiTokenRepository;
  readonly settings: SettingsRepository;
}

/** Everything that a new version of a model changes; stored in one transaction or not at all. */
export interface VersionCommit {
  readonly version: VersionRecord;
  /** For the first version of a model only. */
  readonly model?: ModelRecord;
  /** The round's final row. */
  readonly round?: RoundRecord;
  readonly optimizer?: OptimizerRecord;
  /** Of a version that a round made. */
  readonly state?: VersionStateRecord;
  readonly journal?: readonly JournalEntry[];
  readonly release: ReleaseChange;
  /** Who or what made it, and with it whatever else the commit decides. */
  readonly audit: readonly NewAuditRecord[];
  /** Told what is stored at the moment of the commit, so that no event repeats what was read earlier. */
  readonly events: (stored: MetadataRepositories) => Promise<readonly NewEvent[]>;
}

/**
 * The truth: everything but blobs. Used directly, each call is its own transaction.
 * A write that resolved is on disk: it survives `kill -9` and the loss of power.
 */
export interface MetadataStore extends MetadataRepositories {
  /**
   * Runs `work` in one transaction: all of it is stored, or (when it throws) nothing.
   * Use only `tx` inside, and await nothing else: other callers wait for it. Not nestable.
   */
  transaction<T>(work: (tx: MetadataRepositories) => Promise<T>): Promise<T>;
  /**
   * Stores a new version with its lineage, round row, optimizer state, journal, targets, signed metadata, audit records and
   * events in one transaction. Returns the logged events, to be published on the bus.
   * @throws `store/conflict`, with nothing stored, when any number is taken or another release came first.
   */
  commitVersion(commit: VersionCommit, at: number): Promise<EventRecord[]>;
  /** Truncates the write-ahead log, where the engine has one. */
  checkpoint(): Promise<void>;
  /** Idempotent. Later calls fail with `store/closed`. */
  close(): Promise<void>;
}
