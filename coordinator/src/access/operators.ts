import { failure, TributaryError, type Env } from "@tributary/core";
import { ALL_MODELS, RESERVED_ACCOUNT_NAMES, type AccessGrant, type AuditActor } from "@tributary/protocol";
import type { AccountRecord, SessionRecord } from "../ports/access-records.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { operatorChanged, operatorCreated, operatorGranted, sessionChanged } from "./access-records.ts";
import { checkPassword, type Passwords } from "./passwords.ts";
import { operatorNamed } from "./principal.ts";
import type { Seen, SessionOwner, Sessions } from "./sessions.ts";
import { invalidSetupCode, type SetupLink } from "./setup-link.ts";
import type { SignInLimits } from "./sign-in-limits.ts";

export interface OperatorsOptions {
  readonly env: Pick<Env, "clock">;
  readonly store: () => MetadataStore;
  readonly passwords: Passwords;
  readonly limits: SignInLimits;
  readonly sessions: Sessions;
  readonly setup: SetupLink;
}

/** A browser that signed in: the cookie goes to it, and is nowhere else. */
export interface SignedIn {
  readonly cookie: string;
  readonly session: SessionRecord;
}

export interface NewAccount {
  readonly name: string;
  readonly password: string;
  readonly grants: readonly AccessGrant[];
}

/** Local accounts of operators, and signing in to them. What is done to them is in the audit log with it. */
export interface Operators {
  /** @throws `identity/sign-in-failed`, `http/too-many-requests` */
  signIn(given: { readonly name: string; readonly password: string }, seen: Seen): Promise<SignedIn>;
  /** Whom somebody else vouches for. */
  begin(who: SessionOwner, seen: Seen): Promise<SignedIn>;
  /** @returns whether there was such a session */
  end(by: AuditActor, session: SessionRecord): Promise<boolean>;
  /** The first admin, who is signed in with it. @throws `identity/invalid-setup-code`, `identity/weak-password` */
  setUp(
    given: { readonly code: string; readonly name: string; readonly password: string },
    seen: Seen,
  ): Promise<SignedIn>;
  /** @throws `identity/weak-password`, `identity/account-exists`, `http/bad-request` */
  add(by: AuditActor, account: NewAccount): Promise<AccountRecord>;
  /** @throws `identity/unknown-account` */
  grant(by: AuditActor, name: string, grants: readonly AccessGrant[]): Promise<AccountRecord>;
  /** Ends the account's sessions. @throws `identity/unknown-account`, `identity/weak-password` */
  setPassword(by: AuditActor, name: string, password: string): Promise<AccountRecord>;
  /** One's own, by the one before. @throws `identity/sign-in-failed`, `identity/weak-password`, `http/too-many-requests` */
  changePassword(
    by: AuditActor,
    given: { readonly name: string; readonly current: string; readonly password: string },
    seen: Seen,
  ): Promise<SignedIn>;
  /** With its sessions and tokens. @throws `identity/unknown-account` */
  remove(by: AuditActor, name: string): Promise<void>;
}

export function createOperators(options: OperatorsOptions): Operators {
  const { env, store, passwords, limits, sessions, setup } = options;

  const accountOf = async (name: string): Promise<AccountRecord> => {
    const account = await store().accounts.get(name);
    if (account !== undefined) return account;
    throw failure("identity/unknown-account", `access: no account "${name}"`, { detail: { operator: name } });
  };

  const check = async (name: string, password: string, seen: Seen): Promise<AccountRecord> => {
    const isNoGuess = limits.attempt(name, seen.address);
    const account = await store().accounts.get(name);
    const isRight = await passwords.verify(password, account?.password);
    if (account === undefined || !isRight)
      throw failure(
        "identity/sign-in-failed",
        `access: nobody signs in as ${JSON.stringify(name)} with this password`,
      );
    isNoGuess();
    return account;
  };

  const begin: Operators["begin"] = async (who, seen) => {
    const began = await sessions.begin(who, seen);
    const actor = operatorNamed(who.name, who.vouched?.subject);
    await store().audit.append([sessionChanged(actor, "session.begin", began.session)], env.clock.now());
    return began;
  };

  const recordOf = async ({ name, password, grants }: NewAccount): Promise<AccountRecord> => {
    if (RESERVED_ACCOUNT_NAMES.includes(name))
      throw failure("identity/account-exists", `access: "${name}" has another meaning; choose another name`, {
        detail: { operator: name },
      });
    checkPassword(password, name);
    const now = env.clock.now();
    return { name, password: await passwords.hash(password), grants, createdAt: now, passwordChangedAt: now };
  };

  const inserted = async (name: string, insert: () => Promise<unknown>): Promise<void> => {
    try {
      await insert();
    } catch (error) {
      if (!TributaryError.is(error) || error.code !== "store/conflict") throw error;
      throw failure("identity/account-exists", `access: there is an account "${name}" already`, {
        detail: { operator: name },
        cause: error,
      });
    }
  };

  return {
    async signIn({ name, password }, seen) {
      await check(name, password, seen);
      return begin({ name, grants: null }, seen);
    },
    begin,
    async end(by, session) {
      return store().transaction(async (tx) => {
        if (!(await tx.sessions.remove(session.id))) return false;
        await tx.audit.append([sessionChanged(by, "session.end", session)], env.clock.now());
        return true;
      });
    },
    async setUp({ code, name, password }, seen) {
      const isNoGuess = limits.attempt(`setup link from ${seen.address}`, seen.address);
      if (!(await setup.isOpen())) throw invalidSetupCode();
      const account = await recordOf({ name, password, grants: [{ model: ALL_MODELS, role: "admin" }] });
      const by = operatorNamed(name);
      await store().transaction(async (tx) => {
        await setup.use(tx, code);
        await tx.accounts.insert(account);
        await tx.audit.append([operatorCreated(by, name, account.grants)], env.clock.now());
      });
      isNoGuess();
      return begin({ name, grants: null }, seen);
    },
    async add(by, account) {
      const record = await recordOf(account);
      await inserted(record.name, () =>
        store().transaction(async (tx) => {
          await tx.accounts.insert(record);
          await tx.audit.append([operatorCreated(by, record.name, record.grants)], env.clock.now());
        }),
      );
      return record;
    },
    async grant(by, name, grants) {
      const { grants: before } = await accountOf(name);
      await store().transaction(async (tx) => {
        await tx.accounts.setGrants(name, grants);
        await tx.audit.append([operatorGranted(by, name, { before, now: grants })], env.clock.now());
      });
      return accountOf(name);
    },
    async setPassword(by, name, password) {
      await accountOf(name);
      checkPassword(password, name);
      const hash = await passwords.hash(password);
      await store().transaction(async (tx) => {
        await tx.accounts.setPassword(name, hash, env.clock.now());
        await tx.audit.append([operatorChanged(by, "operator.password", name)], env.clock.now());
      });
      return accountOf(name);
    },
    async changePassword(by, { name, current, password }, seen) {
      await check(name, current, seen);
      await this.setPassword(by, name, password);
      return begin({ name, grants: null }, seen);
    },
    async remove(by, name) {
      await accountOf(name);
      await store().transaction(async (tx) => {
        await tx.accounts.remove(name);
        await tx.audit.append([operatorChanged(by, "operator.remove", name)], env.clock.now());
      });
    },
  };
}
