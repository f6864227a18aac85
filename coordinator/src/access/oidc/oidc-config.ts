import { isIP } from "node:net";
import { failure } from "@tributary/core";
import { isLoopback } from "../../gateway/admission.ts";
import { digestOf } from "../secrets.ts";
import { parseGrantRule, type GrantRule } from "./grant-rules.ts";

export const CLIENT_AUTHENTICATIONS = ["client_secret_basic", "client_secret_post"] as const;
export type ClientAuthentication = (typeof CLIENT_AUTHENTICATIONS)[number];

/** An OpenID provider that operators may sign in at. */
export interface OidcConfig {
  /** As it calls itself: `https://login.example.org/realms/ml`. Without TLS on loopback alone. */
  readonly issuer: string;
  readonly clientId: string;
  /** Undefined: of a public client, which has none. */
  readonly clientSecret?: string;
  /** How the secret is shown. @defaultValue client_secret_basic, where the provider takes it */
  readonly clientAuthentication?: ClientAuthentication;
  /** On the button that leads there. @defaultValue its host */
  readonly name?: string;
  /** Who of those that it knows may what: `groups=ml-ops:operator`, `email=ada@example.org:admin@digits`. */
  readonly grants: readonly string[];
  /** What is asked for. @defaultValue openid, profile, email */
  readonly scopes?: readonly string[];
  /** Whether signing out here leads there, to sign out too; it has to know where the browser comes back. @defaultValue false */
  readonly signOut?: boolean;
}

export interface ResolvedOidc {
  readonly issuer: URL;
  readonly clientId: string;
  readonly clientSecret: string | undefined;
  readonly clientAuthentication: ClientAuthentication | undefined;
  readonly name: string;
  readonly rules: readonly GrantRule[];
  readonly scopes: readonly string[];
  readonly signOut: boolean;
  /** Changes with all that gives a session its roles: those that began before are over then. */
  readonly rulesDigest: string;
}

const DEFAULT_SCOPES = ["openid", "profile", "email"] as const;

/** @throws `coordinator/invalid-config`, naming the field */
export function checkOidc(oidc: OidcConfig): ResolvedOidc {
  const { clientId, clientSecret, clientAuthentication, scopes = DEFAULT_SCOPES, signOut = false } = oidc;
  const issuer = checkIssuer(oidc.issuer);
  const { name = issuer.host } = oidc;
  if (clientId === "") throw invalid("clientId", "the name of a client that is registered there", clientId);
  if (clientSecret === "") throw invalid("clientSecret", "a secret, or none", "");
  if (clientAuthentication !== undefined && !CLIENT_AUTHENTICATIONS.includes(clientAuthentication))
    throw invalid("clientAuthentication", CLIENT_AUTHENTICATIONS.join(" or "), clientAuthentication);
  if (name === "" || name.length > 64) throw invalid("name", "1 to 64 characters", name);
  if (oidc.grants.length === 0)
    throw invalid("grants", "at least one rule, for otherwise nobody could sign in there", []);
  if (!scopes.includes("openid") || scopes.some((scope) => !/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope)))
    throw invalid("scopes", "openid, and others without spaces", scopes);
  const rules = oidc.grants.map(parseGrantRule);
  return {
    issuer,
    clientId,
    clientSecret,
    clientAuthentication,
    name,
    rules,
    scopes,
    signOut,
    rulesDigest: digestOf(JSON.stringify([issuer.href, clientId, rules])),
  };
}

/** What must stand in no log. */
export function oidcSecrets(oidc: Pick<ResolvedOidc, "clientSecret"> | undefined): string[] {
  return oidc?.clientSecret === undefined ? [] : [oidc.clientSecret];
}

/** A provider's own endpoints, and what its metadata names, are reached over TLS, or do not leave this machine. */
export function isSafeUrl(url: URL): boolean {
  if (url.protocol === "https:") return true;
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return url.protocol === "http:" && (host === "localhost" || (isIP(host) !== 0 && isLoopback(host)));
}

function checkIssuer(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !isSafeUrl(url) || url.search !== "" || url.hash !== "" || url.username !== "")
    throw invalid("issuer", "an https URL without a query; http on loopback alone", text);
  return url;
}

function invalid(field: string, expected: string, got: unknown): Error {
  return failure(
    "coordinator/invalid-config",
    `coordinator: oidc.${field}: expected ${expected}, got ${JSON.stringify(got)}`,
    { detail: { field: `oidc.${field}` } },
  );
}
