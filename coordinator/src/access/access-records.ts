import type { AccessGrant, AuditActor, NewAuditRecord } from "@tributary/protocol";
import type { ApiTokenRecord, SessionRecord } from "../ports/access-records.ts";

// What the audit log says of operators. Passwords, tokens and cookies are in none of it.

const grantsText = (grants: readonly AccessGrant[]): string[] =>
  grants.map(({ model, role }) => `${role} of ${model}`);

export function operatorCreated(
  actor: AuditActor,
  name: string,
  grants: readonly AccessGrant[],
): NewAuditRecord {
  return {
    actor,
    action: "operator.create",
    object: {},
    detail: { operator: name, grants: grantsText(grants) },
  };
}

export function operatorGranted(
  actor: AuditActor,
  name: string,
  { before, now }: { readonly before: readonly AccessGrant[]; readonly now: readonly AccessGrant[] },
): NewAuditRecord {
  const detail = { operator: name, before: grantsText(before), grants: grantsText(now) };
  return { actor, action: "operator.grants", object: {}, detail };
}

/** Who has another password, or is no operator any more. */
export function operatorChanged(
  actor: AuditActor,
  action: "operator.password" | "operator.remove",
  name: string,
): NewAuditRecord {
  return { actor, action, object: {}, detail: { operator: name } };
}

export function apiTokenChanged(
  actor: AuditActor,
  action: "api-token.create" | "api-token.revoke",
  { id, label, grants, account, session, expiresAt }: ApiTokenRecord,
): NewAuditRecord {
  const detail = {
    token: id,
    label,
    account,
    session,
    grants: grantsText(grants),
    expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(),
  };
  return { actor, action, object: {}, detail };
}

/** Somebody let a command line act as themselves; what came of it is a token. */
export function loginAllowed(
  actor: AuditActor,
  {
    session,
    machine,
    grants,
    address,
  }: {
    readonly session: string;
    readonly machine: string;
    readonly grants: readonly AccessGrant[];
    readonly address: string;
  },
): NewAuditRecord {
  const detail = { session, machine, grants: grantsText(grants), address };
  return { actor, action: "login.allow", object: {}, detail };
}

/** Somebody signed in; or out, or was signed out. */
export function sessionChanged(
  actor: AuditActor,
  action: "session.begin" | "session.end",
  { id, name, address, vouched }: SessionRecord,
): NewAuditRecord {
  const by = vouched && { issuer: vouched.issuer, subject: vouched.subject };
  return { actor, action, object: {}, detail: { session: id, operator: name, address, ...by } };
}
