import type { DeviceId } from "@tributary/core";
import type {
  AuditAction,
  AuditActor,
  AuditHead,
  AuditObject,
  AuditRecord,
  NewAuditRecord,
} from "@tributary/protocol";

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
