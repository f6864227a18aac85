import { failure, type Clock } from "@tributary/core";
import {
  allowInsecureRequests,
  AuthorizationResponseError,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  buildEndSessionUrl,
  calculatePKCECodeChallenge,
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  fetchUserInfo,
  None,
  ResponseBodyError,
  type ClientAuth,
  type ServerMetadata,
} from "openid-client";
import { hasAllClaims, type Claims } from "./grant-rules.ts";
import { isSafeUrl, type ResolvedOidc } from "./oidc-config.ts";
import type { PendingSignIn } from "./pending-sign-in.ts";
import { fetchFromProvider } from "./provider-fetch.ts";

/** Longest that an answer of the provider may take. */
const PROVIDER_TIMEOUT_SECONDS = 10;
/** Its metadata are read again after so long. */
const METADATA_MS = 3_600_000;

export interface IdentityProviderOptions {
  readonly oidc: ResolvedOidc;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly timeoutSeconds?: number;
}

/** Where operators prove who they are. */
export interface IdentityProvider {
  /** Where the browser goes. @throws `identity/provider-unreachable`, `identity/provider-refused` */
  signInUrl(pending: PendingSignIn, redirectUri: URL): Promise<URL>;
  /**
   * Who came back. The ID token's signature, issuer, audience, time and nonce are verified by then, and the state.
   *
   * @param callback the redirect URI, with what the browser brought
   * @throws `identity/provider-unreachable`, `identity/provider-refused`
   */
  redeem(callback: URL, pending: PendingSignIn): Promise<Claims>;
  /**
   * Where the browser signs out there too (OpenID Connect RP-Initiated Logout 1.0); undefined where the provider has no such place. It is
   * told whose client asks, and not of whom: the ID token that would say so is not kept, and the provider asks whoever comes.
   *
   * @param backTo one of the client's post-logout redirect URIs
   * @throws `identity/provider-unreachable`, `identity/provider-refused`
   */
  signOutUrl(backTo: URL): Promise<URL | undefined>;
}

export function createIdentityProvider({
  oidc,
  clock,
  timeoutSeconds = PROVIDER_TIMEOUT_SECONDS,
}: IdentityProviderOptions): IdentityProvider {
  let known: { readonly configuration: Promise<Configuration>; readonly readAt: number } | undefined;

  const discover = async (): Promise<Configuration> => {
    const options = {
      [customFetch]: fetchFromProvider,
      timeout: timeoutSeconds,
      // What the fetch above refuses is refused all the same: plain HTTP leaves this machine for nobody.
      ...(oidc.issuer.protocol === "http:" ? { execute: [allowInsecureRequests] } : {}),
    };
    const found = await discovery(oidc.issuer, oidc.clientId, undefined, None(), options);
    const metadata = found.serverMetadata();
    // Once more, now that it is known how the provider wants the secret.
    const configuration = new Configuration(
      metadata,
      oidc.clientId,
      undefined,
      clientAuthentication(oidc, metadata),
    );
    configuration[customFetch] = fetchFromProvider;
    configuration.timeout = timeoutSeconds;
    if (oidc.issuer.protocol === "http:") allowInsecureRequests(configuration);
    // By default an ID token that came over TLS is believed without its signature.
    enableNonRepudiationChecks(configuration);
    return configuration;
  };

  const configurationOf = async (): Promise<Configuration> => {
    const now = clock.monotonicMs();
    if (known === undefined || now - known.readAt >= METADATA_MS)
      known = { configuration: discover(), readAt: now };
    const asked = known;
    try {
      return await asked.configuration;
    } catch (error) {
      // The next one asks again.
      if (known === asked) known = undefined;
      throw refusal(oidc, "its metadata", error);
    }
  };

  return {
    async signInUrl({ state, nonce, codeVerifier }, redirectUri) {
      const configuration = await configurationOf();
      const parameters = {
        redirect_uri: redirectUri.href,
        scope: oidc.scopes.join(" "),
        state,
        nonce,
        code_challenge: await calculatePKCECodeChallenge(codeVerifier),
        code_challenge_method: "S256",
      };
      const { authorization_endpoint: endpoint = "" } = configuration.serverMetadata();
      checkEndpoint(oidc, "authorization", endpoint);
      return buildAuthorizationUrl(configuration, parameters);
    },
    async signOutUrl(backTo) {
      const configuration = await configurationOf();
      const { end_session_endpoint: endpoint } = configuration.serverMetadata();
      if (endpoint === undefined) return undefined;
      checkEndpoint(oidc, "end-session", endpoint);
      return buildEndSessionUrl(configuration, { post_logout_redirect_uri: backTo.href });
    },
    async redeem(callback, { state, nonce, codeVerifier }) {
      const configuration = await configurationOf();
      try {
        const tokens = await authorizationCodeGrant(configuration, callback, {
          expectedState: state,
          expectedNonce: nonce,
          pkceCodeVerifier: codeVerifier,
          idTokenExpected: true,
        });
        const claims = tokens.claims() as Claims;
        const hasMore = configuration.serverMetadata().userinfo_endpoint !== undefined;
        if (!hasMore || hasAllClaims(oidc.rules, claims)) return claims;
        return { ...claims, ...(await fetchUserInfo(configuration, tokens.access_token, claims.sub)) };
      } catch (error) {
        throw refusal(oidc, "signing in", error);
      }
    },
  };
}

/** Browsers are led to no other. */
function checkEndpoint({ issuer }: ResolvedOidc, name: string, endpoint: string): void {
  if (URL.canParse(endpoint) && isSafeUrl(new URL(endpoint))) return;
  throw failure(
    "identity/provider-refused",
    `access: ${issuer.href} names an ${name} endpoint that is not https`,
  );
}

function clientAuthentication(
  { clientSecret, clientAuthentication: wanted }: ResolvedOidc,
  { token_endpoint_auth_methods_supported: supported = ["client_secret_basic"] }: ServerMetadata,
): ClientAuth {
  if (clientSecret === undefined) return None();
  const isBasic =
    wanted === undefined ? supported.includes("client_secret_basic") : wanted === "client_secret_basic";
  return isBasic ? ClientSecretBasic(clientSecret) : ClientSecretPost(clientSecret);
}

/** What went wrong, in words that hold no code, no token and nothing else of what was sent: the errors themselves do. */
function refusal({ issuer }: ResolvedOidc, what: string, error: unknown): Error {
  const why = reasonOf(error);
  return failure(
    isUnreachable(error) ? "identity/provider-unreachable" : "identity/provider-refused",
    `access: ${what} at ${issuer.href} failed: ${why}`,
    { detail: { why } },
  );
}

function reasonOf(error: unknown): string {
  if (error instanceof AuthorizationResponseError || error instanceof ResponseBodyError)
    return /^[\w.-]{1,64}$/.test(error.error) ? `it answered ${error.error}` : "it answered with an error";
  const { code, cause } = error as { readonly code?: unknown; readonly cause?: unknown };
  if (typeof code === "string") return `${code}${claimOf(cause)}`;
  return error instanceof Error ? (innermost(error).name ?? "failed") : "failed";
}

/** Which claim of an ID token was not as expected: `nonce`, `aud`. */
function claimOf(cause: unknown): string {
  const of = (within: unknown): unknown =>
    typeof within === "object" && within !== null && "cause" in within ? within.cause : undefined;
  for (let each: unknown = cause; each !== undefined; each = of(each)) {
    const { claim } = (each ?? {}) as { readonly claim?: unknown };
    if (typeof claim === "string" && /^\w{1,32}$/.test(claim)) return ` (${claim})`;
  }
  return "";
}

function innermost(error: Error): { readonly name?: string; readonly code?: string } {
  let each: unknown = error;
  while (each instanceof Error && each.cause instanceof Error) each = each.cause;
  const { code, name } = each as { readonly code?: string; readonly name: string };
  return { name: typeof code === "string" ? code : name };
}

/** No answer, none in time, or one of a server that is not well. */
function isUnreachable(error: unknown): boolean {
  const { code, cause } = error as { readonly code?: unknown; readonly cause?: unknown };
  if (code === "OAUTH_TIMEOUT" || code === "OAUTH_ABORT") return true;
  if (code === "OAUTH_RESPONSE_IS_NOT_CONFORM") return cause instanceof Response && cause.status >= 500;
  // What `fetch` throws has the system's error as its cause.
  const inner = error instanceof Error ? innermost(error).name : undefined;
  return inner !== undefined && /^(E[A-Z]{3,}|UND_ERR_\w+|TimeoutError|AbortError)$/.test(inner);
}
