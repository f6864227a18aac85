import { failure, type Clock, type SecureRandom } from "@tributary/core";
import { ALL_MODELS, grantsAllow, ROLE_RIGHTS, ROLES, type AccessGrant } from "@tributary/protocol";
import type { ApiTokenRecord } from "../ports/access-records.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { Principal } from "./principal.ts";
import { API_TOKEN, digestOf, newApiToken, sameText } from "./secrets.ts";

const DAY_MS = 86_400_000;
/** That a token is in use is noted at most so often. */
const TOUCH_MS = 60_000;

export interface ApiTokensOptions {
  readonly store: () => Pick<MetadataStore, "apiTokens" | "accounts">;
  readonly clock: Pick<Clock, "now">;
  readonly random: Pick<SecureRandom, "bytes">;
}

/** What programs sign in with. */
export interface ApiTokens {
  /** Whose a token is, and what it may now; undefined for one that is not good, or not any more. */
  principal(token: string): Promise<Principal | undefined>;
  /** A token that is not stored yet. @throws `identity/forbidden` where it could do what its maker may not */
  make(
    by: Principal,
    wanted: { readonly label: string; readonly grants: readonly AccessGrant[]; readonly days: number | null },
  ): { readonly token: string; readonly record: ApiTokenRecord };
}

export function createApiTokens({ store, clock, random }: ApiTokensOptions): ApiTokens {
  return {
    async principal(token) {
      const id = API_TOKEN.exec(token)?.[1];
      if (id === undefined) return undefined;
      const { apiTokens, accounts } = store();
      const record = await apiTokens.get(id);
      const now = clock.now();
      if (record === undefined || !sameText(record.digest, digestOf(token))) return undefined;
      if (record.expiresAt !== null && now >= record.expiresAt) return undefined;
      const { account: owner, label } = record;
      const account = owner === null ? undefined : await accounts.get(owner);
      if (owner !== null && account === undefined) return undefined;
      if (record.usedAt === null || now - record.usedAt >= TOUCH_MS) await apiTokens.touch(id, now);
      return {
        kind: "token",
        name: `${owner ?? "token"}/${label}`,
        // An account that may less now has tokens that may less.
        grants: account === undefined ? record.grants : withinGrants(record.grants, account.grants),
        ...(owner === null ? {} : { account: owner }),
      };
    },
    make(by, { label, grants, days }) {
      const more = grants.find((grant) => !coveredBy(by.grants)(grant));
      if (more !== undefined)
        throw failure(
          "identity/forbidden",
          `access: ${by.name} cannot give a token the role ${more.role} of ${more.model}, as it may do more than ${by.name} may`,
          { detail: { role: more.role, model: more.model } },
        );
      const { id, token } = newApiToken(random);
      const now = clock.now();
      const record: ApiTokenRecord = {
        id,
        digest: digestOf(token),
        label,
        grants,
        account: by.account ?? null,
        createdAt: now,
        expiresAt: days === null ? null : now + days * DAY_MS,
        usedAt: null,
      };
      return { token, record };
    },
  };
}

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
