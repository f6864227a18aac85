import type { AlertState } from "@tributary/protocol";
import type {
  AlertRecord,
  AlertRuleRecord,
  DeliveryRecord,
  NotificationChannelRecord,
  PolicyDecisionRecord,
  PolicyRecord,
  SilenceRecord,
} from "./alert-records.ts";

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
