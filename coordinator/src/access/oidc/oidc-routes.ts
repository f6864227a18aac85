import { failure, TributaryError, type Clock, type SecureRandom } from "@tributary/core";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { App } from "../../http/app.ts";
import type { Guard } from "../guard.ts";
import type { Operators } from "../operators.ts";
import { ownCookie, type OwnCookie } from "../session-cookie.ts";
import { seenIn } from "../session-routes.ts";
import type { SignInLimits } from "../sign-in-limits.ts";
import { grantsOfClaims, nameOfClaims } from "./grant-rules.ts";
import type { IdentityProvider } from "./identity-provider.ts";
import type { ResolvedOidc } from "./oidc-config.ts";
import { beginSignIn, pathOf, PENDING_MS, pendingSignIn } from "./pending-sign-in.ts";

/** Where the provider sends the browser back to. */
export const CALLBACK_PATH = "/v1/session/oidc/callback";
/** Of a browser that went to the provider. */
const PENDING_COOKIE = "tributary-sign-in";

export interface OidcRouteOptions {
  readonly env: { readonly clock: Clock; readonly random: SecureRandom };
  /** Undefined: none is configured. */
  readonly provider: IdentityProvider | undefined;
  readonly oidc: ResolvedOidc | undefined;
  readonly guard: Pick<Guard, "refused">;
  readonly operators: Pick<Operators, "begin">;
  readonly limits: SignInLimits;
  readonly cookie: Pick<OwnCookie, "set">;
  /** Whether browsers reach the coordinator over https. */
  readonly secure: boolean;
  readonly lifetimeMs: number;
  /** The coordinator's own address, as browsers reach it. */
  readonly url: () => string;
}

const route = { config: { audience: "public" }, schema: { hide: true } } as const;

/** `/v1/session/oidc` leads a browser to the identity provider, and below it the browser comes back. Both are pages, and no API. */
export function registerOidcRoutes(app: App, options: OidcRouteOptions): void {
  const { env, guard, operators, limits, cookie, secure, lifetimeMs, url } = options;
  const { clock } = env;
  // Lax: a page of another site leads back here.
  const pendingCookie = ownCookie(PENDING_COOKIE, { secure }, "lax");
  const redirectUri = (): URL => new URL(CALLBACK_PATH, url());

  const configured = (): { readonly provider: IdentityProvider; readonly oidc: ResolvedOidc } => {
    const { provider, oidc } = options;
    if (provider !== undefined && oidc !== undefined) return { provider, oidc };
    throw failure("http/not-found", "access: no identity provider is configured");
  };

  /** A person is led back to where they were, where one signs in and is told what went wrong; a program gets the problem. */
  const page = async (
    request: FastifyRequest,
    reply: FastifyReply,
    returnTo: string,
    work: () => Promise<{ readonly to: string; readonly setCookie: readonly string[] }>,
  ): Promise<FastifyReply> => {
    reply.header("cache-control", "no-store");
    try {
      const { to, setCookie } = await work();
      return reply.header("set-cookie", setCookie).redirect(to, 303);
    } catch (error) {
      guard.refused(request, error);
      const isPerson = (request.headers.accept ?? "").includes("text/html");
      reply.header("set-cookie", pendingCookie.clear());
      if (!isPerson || !TributaryError.is(error)) throw error;
      request.log.info({ code: error.code, reason: error.message }, "request refused");
      const back = new URL(new URL(url()).origin + returnTo);
      back.searchParams.set("problem", error.code);
      return reply.redirect(back.href, 303);
    }
  };

  app.get("/v1/session/oidc", route, (request, reply) => {
    const { returnTo: asked } = request.query as { readonly returnTo?: unknown };
    const returnTo = pathOf(typeof asked === "string" ? asked : undefined);
    return page(request, reply, returnTo, async () => {
      const { provider } = configured();
      const pending = beginSignIn(env, returnTo);
      const to = await provider.signInUrl(pending, redirectUri());
      return { to: to.href, setCookie: [pendingCookie.set(pending.cookie, PENDING_MS)] };
    });
  });

  app.get(CALLBACK_PATH, route, (request, reply) => {
    const pending = pendingSignIn(pendingCookie.read(request.headers.cookie), clock.now());
    return page(request, reply, pending?.returnTo ?? "/", async () => {
      const { provider, oidc } = configured();
      const seen = seenIn(request);
      const isNoGuess = limits.attempt(`identity provider from ${seen.address}`, seen.address);
      // Not what the `Host` header says it is.
      const callback = redirectUri();
      callback.search = new URL(request.url, callback).search;
      if (pending === undefined || callback.searchParams.get("state") !== pending.state) throw notBegun();
      const claims = await provider.redeem(callback, pending);
      const grants = grantsOfClaims(oidc.rules, claims);
      const name = nameOfClaims(claims);
      if (grants.length === 0) throw noRole(oidc, name, claims);
      isNoGuess();
      const vouched = { issuer: oidc.issuer.href, subject: claims.sub, rules: oidc.rulesDigest };
      const began = await operators.begin({ name, grants, vouched }, seen);
      return {
        to: new URL(url()).origin + pending.returnTo,
        setCookie: [cookie.set(began.cookie, lifetimeMs), pendingCookie.clear()],
      };
    });
  });
}

function notBegun(): Error {
  return failure(
    "identity/sign-in-expired",
    "access: somebody comes back from the identity provider whom this coordinator did not send there from this browser in the last minutes",
  );
}

function noRole({ issuer }: ResolvedOidc, name: string, claims: object): Error {
  const has = Object.keys(claims).toSorted().join(", ").slice(0, 500);
  return failure(
    "identity/no-role",
    `access: no rule (--oidc-grant) gives ${JSON.stringify(name)} of ${issuer.href} a role; it is known by these claims: ${has}`,
    { detail: { name } },
  );
}
