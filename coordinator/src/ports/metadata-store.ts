import type { NewAuditRecord } from "@tributary/protocol";
import type { AccountRepository, ApiTokenRepository, SessionRepository } from "./access-repositories.ts";
import type {
  AlertRepository,
  AlertRuleRepository,
  DeliveryRepository,
  NotificationChannelRepository,
  PolicyDecisionRepository,
  PolicyRepository,
  SilenceRepository,
} from "./alert-repositories.ts";
import type { AuditRepository } from "./audit-repository.ts";
import type { DeviceHealthRepository, DeviceRepository, FleetRepository } from "./device-repositories.ts";
import type { EventRecord, NewEvent } from "./event-records.ts";
import type {
  EventRepository,
  IdempotentRequestRepository,
  SettingsRepository,
} from "./event-repositories.ts";
import type { ModelRecord, OptimizerRecord, VersionRecord, VersionStateRecord } from "./model-records.ts";
import type {
  AliasRepository,
  ChannelRepository,
  ModelRepository,
  OptimizerRepository,
  VersionRepository,
  VersionStateRepository,
  WithdrawalRepository,
} from "./model-repositories.ts";
import type { ReleaseChange } from "./release-records.ts";
import type { CertificateLogRepository, ReleaseRepository } from "./release-repositories.ts";
import type { RolloutRepository } from "./rollout-repository.ts";
import type { JournalEntry, RoundRecord } from "./round-records.ts";
import type {
  BufferedCohortRepository,
  JournalRepository,
  RefusalRepository,
  RoundRepository,
} from "./round-repositories.ts";
import type { SearchRepository } from "./search-repository.ts";
import type {
  MeasurementRepository,
  ParticipationRepository,
  SuspicionRepository,
  TaskRepository,
} from "./task-repositories.ts";

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
