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
  get(id: string): Promise<SessionRecord | undefined>;
  byDigest(digest: string): Promise<SessionRecord | undefined>;
  /** Newest first; of one name, or of all. */
  list(name?: string): Promise<SessionRecord[]>;
  /** When and from where it was seen last. */
  touch(id: string, seen: Pick<SessionRecord, "seenAt" | "address" | "agent">): Promise<void>;
  /** With the tokens that end with it; false where there was none. */
  remove(id: string): Promise<boolean>;
  /** Forgets those that ended before `now`, and those not seen since `idleSince`, with their tokens. */
  prune(now: number, idleSince: number): Promise<void>;
}

export interface ApiTokenRepository {
  /** @throws `store/conflict`; `store/not-found` where the session that it ends with is not there */
  insert(token: ApiTokenRecord): Promise<void>;
  get(id: string): Promise<ApiTokenRecord | undefined>;
  /** Newest first. */
  list(): Promise<ApiTokenRecord[]>;
  /** When it was used last. */
  touch(id: string, usedAt: number): Promise<void>;
  /** False where there was none. */
  remove(id: string): Promise<boolean>;
}
