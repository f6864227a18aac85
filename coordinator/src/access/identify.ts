import { failure } from "@tributary/core";
import type { ResolvedConfig } from "../config.ts";
import type { SessionRecord } from "../ports/access-records.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { ApiTokens } from "./api-tokens.ts";
import type { Identify } from "./guard.ts";
import { ANONYMOUS_VIEWER, BOOTSTRAP, type Principal } from "./principal.ts";
import { csrfTokenOf } from "./secrets.ts";
import { sessionOwner } from "./session-owner.ts";
import type { OwnCookie } from "./session-cookie.ts";
import type { Sessions } from "./sessions.ts";

export interface IdentifyOptions {
  readonly config: Pick<ResolvedConfig, "anonymous">;
  /** Whether `Authorization` has the token of the data directory. */
  readonly isBootstrap: (authorization: string | undefined) => boolean;
  readonly tokens?: Pick<ApiTokens, "principal">;
  readonly browsers?: {
    readonly sessions: Pick<Sessions, "find">;
    readonly cookie: Pick<OwnCookie, "read">;
    readonly store: () => Pick<MetadataStore, "accounts">;
  };
}

/** By the token in `Authorization`, or the cookie of a session; without both, whoever it is may do what the configuration says. */
export function createIdentify({ config, isBootstrap, tokens, browsers }: IdentifyOptions): Identify {
  const byCookie = async (request: Parameters<Identify>[0]): Promise<Principal | undefined> => {
    const cookie = browsers?.cookie.read(request.headers.cookie);
    if (browsers === undefined || cookie === undefined) return undefined;
    const agent = request.headers["user-agent"] ?? "";
    const session = await browsers.sessions.find(cookie, { address: request.ip, agent });
    return session && sessionPrincipal(session, cookie, browsers.store());
  };

  return async (request) => {
    const { authorization } = request.headers;
    if (authorization !== undefined) {
      if (isBootstrap(authorization)) return BOOTSTRAP;
      const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
      const principal = token === undefined ? undefined : await tokens?.principal(token);
      if (principal !== undefined) return principal;
      // Whoever sends one means to be known by it: a wrong one is no reason to be taken for nobody.
      throw failure(
        "identity/not-authorized",
        "access: the Authorization header has no valid token: it is another one, was revoked, or has expired",
      );
    }
    const principal = await byCookie(request);
    if (principal !== undefined) return principal;
    return config.anonymous === "viewer" ? ANONYMOUS_VIEWER : null;
  };
}

/** Who asks by the cookie of a session; undefined where there is no such account any more. */
export async function sessionPrincipal(
  session: SessionRecord,
  cookie: string,
  store: Pick<MetadataStore, "accounts">,
): Promise<Principal | undefined> {
  const owner = await sessionOwner(session, store);
  const { id, expiresAt } = session;
  return owner && { ...owner, session: { id, expiresAt, csrfToken: csrfTokenOf(cookie) } };
}
