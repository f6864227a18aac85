import type { DeviceId, Digest } from "@tributary/core";
import type { LogEntryRecord, LogNodeRecord } from "./device-records.ts";
import type {
  DraftRecord,
  ReleaseChange,
  RoleRecord,
  SignedMetadata,
  TargetRecord,
} from "./release-records.ts";

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
