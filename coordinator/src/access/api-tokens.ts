import { failure, type Clock, type SecureRandom } from "@tributary/core";
import {
  ALL_MODELS,
  grantsAllow,
  ROLE_RIGHTS,
  ROLES,
  type AccessGrant,
  type AuditActor,
} from "@tributary/protocol";
import type { ApiTokenRecord } from "../ports/access-records.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { apiTokenChanged } from "./access-records.ts";
import { sessionOwner } from "./session-owner.ts";
import type { Principal } from "./principal.ts";
import { API_TOKEN, digestOf, newApiToken, sameText } from "./secrets.ts";
import type { Sessions } from "./sessions.ts";

const DAY_MS = 86_400_000;
/** That a token is in use is noted at most so often. */
const TOUCH_MS = 60_000;

export interface ApiTokensOptions {
  readonly store: () => MetadataStore;
  readonly sessions: Pick<Sessions, "get">;
  readonly clock: Pick<Clock, "now">;
  readonly random: Pick<SecureRandom, "bytes">;
}

/** Who makes a token: whoever signed in, or an admin. */
export type TokenMaker = Pick<Principal, "kind" | "name" | "grants" | "account" | "subject"> & {
  readonly session?: Pick<NonNullable<Principal["session"]>, "id" | "expiresAt">;
};

export interface NewToken {
  readonly label: string;
  readonly grants: readonly AccessGrant[];
  /** Null: until it is revoked. */
  readonly days: number | null;
}

export interface MadeToken {
  /** It goes to its maker, and is nowhere else. */
  readonly token: string;
  readonly record: ApiTokenRecord;
}

/** What programs sign in with. */
export interface ApiTokens {
  /** Whose a token is, and what it may now; undefined for one that is not good, or not any more. */
  principal(token: string): Promise<Principal | undefined>;
  /**
   * Whether somebody may make a token of these roles.
   *
   * @throws `identity/not-authorized`, `identity/token-makes-none`; `identity/forbidden` where it could do what its maker may not
   */
  check(by: TokenMaker, grants: readonly AccessGrant[]): void;
  /**
   * Makes one, which is in the audit log with it. Whom an identity provider vouches for has it with their session: it ends with it, and
   * lasts no longer.
   *
   * @throws as `check` does; `identity/not-authorized` where the session ended meanwhile
   */
  make(by: TokenMaker, wanted: NewToken, actor: AuditActor): Promise<MadeToken>;
}

export function createApiTokens({ store, sessions, clock, random }: ApiTokensOptions): ApiTokens {
  /** Who made a token, and what they may now; undefined where their account or session is gone. */
  const ownerOf = async ({ account, session }: ApiTokenRecord): Promise<Owner | undefined> => {
    if (account !== null) {
      const found = await store().accounts.get(account);
      return found && { name: account, account, grants: found.grants };
    }
    if (session === null) return NOBODY;
    const found = await sessions.get(session);
    return found && sessionOwner(found, store());
  };

  const check: ApiTokens["check"] = (by, grants) => {
    if (by.kind === "anonymous")
      throw failure(
        "identity/not-authorized",
        "access: nobody is signed in, and tokens are made for whoever is",
      );
    // What a token makes outlives it: an admin may give such tokens in any case, but whom a provider vouches for has none.
    if (by.kind === "token" && (by.subject !== undefined || !grantsAllow(by.grants, "administer")))
      throw failure(
        "identity/token-makes-none",
        `access: ${by.name} is a token, and makes none; sign in with tributary login, or on the dashboard`,
      );
    const more = grants.find((grant) => !coveredBy(by.grants)(grant));
    if (more !== undefined)
      throw failure(
        "identity/forbidden",
        `access: ${by.name} cannot give a token the role ${more.role} of ${more.model}, as it may do more than ${by.name} may`,
        { detail: { role: more.role, model: more.model } },
      );
  };

  return {
    check,
    async principal(token) {
      const id = API_TOKEN.exec(token)?.[1];
      if (id === undefined) return undefined;
      const { apiTokens } = store();
      const record = await apiTokens.get(id);
      const now = clock.now();
      if (record === undefined || !sameText(record.digest, digestOf(token))) return undefined;
      if (record.expiresAt !== null && now >= record.expiresAt) return undefined;
      const owner = await ownerOf(record);
      if (owner === undefined) return undefined;
      if (record.usedAt === null || now - record.usedAt >= TOUCH_MS) await apiTokens.touch(id, now);
      const { name, account, subject, grants } = owner;
      return {
        kind: "token",
        name: `${name}/${record.label}`,
        // Whoever may less now has tokens that may less.
        grants: grants === undefined ? record.grants : withinGrants(record.grants, grants),
        ...(account === undefined ? {} : { account }),
        ...(subject === undefined ? {} : { subject }),
      };
    },
    async make(by, { label, grants, days }, actor) {
      check(by, grants);
      const { id, token } = newApiToken(random);
      const now = clock.now();
      const session = by.kind === "identity-provider" ? by.session : undefined;
      const ends = [days === null ? Infinity : now + days * DAY_MS, session?.expiresAt ?? Infinity];
      const expiresAt = Math.min(...ends);
      const record: ApiTokenRecord = {
        id,
        digest: digestOf(token),
        label,
        grants,
        account: by.account ?? null,
        session: session?.id ?? null,
        createdAt: now,
        expiresAt: Number.isFinite(expiresAt) ? expiresAt : null,
        usedAt: null,
      };
      await store().transaction(async (tx) => {
        if (session !== undefined && (await tx.sessions.get(session.id)) === undefined)
          throw failure("identity/not-authorized", `access: the session of ${by.name} ended; sign in again`);
        await tx.apiTokens.insert(record);
        await tx.audit.append([apiTokenChanged(actor, "api-token.create", record)], now);
      });
      return { token, record };
    },
  };
}

/** Whose a token is. Without grants of its own it limits none. */
interface Owner extends Pick<Principal, "name" | "account" | "subject"> {
  readonly grants?: readonly AccessGrant[];
}

/** Of what was made with the token of the data directory. */
const NOBODY: Owner = { name: "token" };

/** What both allow: of each model that both name, the role with the rights that both have. */
function withinGrants(some: readonly AccessGrant[], others: readonly AccessGrant[]): readonly AccessGrant[] {
  const common = new Map<string, AccessGrant>();
  for (const one of some)
    for (const other of others) {
      if (one.model !== other.model && one.model !== ALL_MODELS && other.model !== ALL_MODELS) continue;
      const model = one.model === ALL_MODELS ? other.model : one.model;
      const rights = ROLE_RIGHTS[one.role].filter((right) => ROLE_RIGHTS[other.role].includes(right));
      const role = ROLES.find(
        (each) =>
          ROLE_RIGHTS[each].length === rights.length &&
          ROLE_RIGHTS[each].every((right) => rights.includes(right)),
      );
      if (role !== undefined) common.set(`${model} ${role}`, { model, role });
    }
  return [...common.values()];
}

/** Whether a grant allows nothing that others do not. */
function coveredBy(grants: readonly AccessGrant[]): (grant: AccessGrant) => boolean {
  return ({ model, role }) => ROLE_RIGHTS[role].every((right) => grantsAllow(grants, right, model));
}
