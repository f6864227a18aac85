import type { AccessGrant } from "@tributary/protocol";
import type { AccountRecord, ApiTokenRecord, SessionRecord } from "./access-records.ts";

export interface AccountRepository {
  /** @throws `store/conflict` when the name is taken. */
  insert(account: AccountRecord): Promise<void>;
  get(name: string): Promise<AccountRecord | undefined>;
  /** By name. */
  list(): Promise<AccountRecord[]>;
  count(): Promise<number>;
  /** @throws `store/not-found` */
  setGrants(name: string, grants: readonly AccessGrant[]): Promise<void>;
  /** Ends the account's sessions. @throws `store/not-found` */
  setPassword(name: string, password: string, at: number): Promise<void>;
  /** With its sessions and tokens; false where there was none. */
  remove(name: string): Promise<boolean>;
}

export interface SessionRepository {
  insert(session: SessionRecord): Promise<void>;
  byDigest(digest: string): Promise<SessionRecord | undefined>;
  /** Newest first; of one name, or of all. */
  list(name?: string): Promise<SessionRecord[]>;
  /** When and from where it was seen last. */
  touch(id: string, seen: Pick<SessionRecord, "seenAt" | "address" | "agent">): Promise<void>;
  /** False where there was none. */
  remove(id: string): Promise<boolean>;
  /** Forgets those that ended before `now`, and those not seen since `idleSince`. */
  prune(now: number, idleSince: number): Promise<void>;
}

export interface ApiTokenRepository {
  insert(token: ApiTokenRecord): Promise<void>;
  get(id: string): Promise<ApiTokenRecord | undefined>;
  /** Newest first; of one account, or of all. */
  list(account?: string): Promise<ApiTokenRecord[]>;
  /** When it was used last. */
  touch(id: string, usedAt: number): Promise<void>;
  /** False where there was none. */
  remove(id: string): Promise<boolean>;
}
