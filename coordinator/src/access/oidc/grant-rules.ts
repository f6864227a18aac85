import { failure, isModelName } from "@tributary/core";
import { ALL_MODELS, MAX_GRANTS, ROLES, type AccessGrant, type Role } from "@tributary/protocol";

/** What a provider says of somebody, verified. */
export interface Claims {
  readonly [claim: string]: unknown;
  /** Who it is, there. */
  readonly sub: string;
}

/** Whoever has a claim with a value gets a role. */
export interface GrantRule {
  /** Its name, or the way to it: `realm_access.roles`. */
  readonly claim: string;
  readonly value: string;
  readonly grant: AccessGrant;
}

/**
 * `CLAIM=VALUE:ROLE`, or `CLAIM=VALUE:ROLE@MODEL`. The claim ends at the first `=` and the role begins behind the last `:`, so that groups
 * may have names like `urn:example:ml`.
 *
 * @throws `coordinator/invalid-config`
 */
export function parseGrantRule(text: string): GrantRule {
  const [, claim = "", value = "", role = "", model = ALL_MODELS] =
    /^([^=]+)=(.+):([a-z]+)(?:@([^:@]+))?$/s.exec(text) ?? [];
  const isRole = ROLES.includes(role as Role);
  if (claim === "" || !isRole || (model !== ALL_MODELS && !isModelName(model)))
    throw failure(
      "coordinator/invalid-config",
      `coordinator: oidc.grants: expected CLAIM=VALUE:ROLE or CLAIM=VALUE:ROLE@MODEL with one of ${ROLES.join(", ")}, got ${JSON.stringify(text)}`,
      { detail: { field: "oidc.grants" } },
    );
  return { claim, value, grant: { model, role: role as Role } };
}

/** What the rules give whoever has these claims: nothing where none fits. */
export function grantsOfClaims(rules: readonly GrantRule[], claims: Claims): AccessGrant[] {
  const given = rules.filter((rule) => fits(rule, claims)).map(({ grant }) => grant);
  const different = new Map(given.map((grant) => [`${grant.role}@${grant.model}`, grant]));
  return [...different.values()].slice(0, MAX_GRANTS);
}

/** Whether the claims that the rules look at, and a name, are all there. */
export function hasAllClaims(rules: readonly GrantRule[], claims: Claims): boolean {
  return (
    rules.every(({ claim }) => claimAt(claims, claim) !== undefined) &&
    typeof claims["preferred_username"] === "string"
  );
}

function fits({ claim, value }: GrantRule, claims: Claims): boolean {
  // An address that nobody checked is whatever somebody typed.
  if (claim === "email") return claims["email_verified"] === true && isAddress(claims["email"], value);
  const found = claimAt(claims, claim);
  return (Array.isArray(found) ? found : [found]).some((each) => textOf(each) === value);
}

/** `*@example.org` is every address there. */
function isAddress(found: unknown, value: string): boolean {
  if (typeof found !== "string") return false;
  const [address, wanted] = [found.toLowerCase(), value.toLowerCase()];
  return wanted.startsWith("*@")
    ? address.lastIndexOf("@") > 0 && address.slice(address.lastIndexOf("@")) === wanted.slice(1)
    : address === wanted;
}

/** By its name, which may have dots, or else by the way through objects. */
function claimAt(claims: Claims, claim: string): unknown {
  if (Object.hasOwn(claims, claim)) return claims[claim];
  return claim
    .split(".")
    .reduce<unknown>(
      (within, name) =>
        typeof within === "object" && within !== null && Object.hasOwn(within, name)
          ? (within as Readonly<Record<string, unknown>>)[name]
          : undefined,
      claims,
    );
}

function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "boolean" || typeof value === "number" ? String(value) : undefined;
}

/** Longest name that is kept: the audit log's own bound. */
const MAX_NAME = 128;

/** What somebody is called here. Who it is, their subject says: names may change, and two people may choose the same. */
export function nameOfClaims(claims: Claims): string {
  const { preferred_username: username, email, email_verified: isVerified, sub } = claims;
  const candidates = [username, isVerified === true ? email : undefined, sub];
  const name = candidates.find((each) => typeof each === "string" && shown(each) !== "") as string;
  return shown(name);
}

/** On one line, and not so long that it hides what stands beside it. */
function shown(name: string): string {
  return name
    .toWellFormed()
    .replace(/[\p{C}\p{Z}]+/gu, " ")
    .trim()
    .slice(0, MAX_NAME);
}
