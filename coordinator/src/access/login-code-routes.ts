import { failure, type Clock } from "@tributary/core";
import { ApiTokenCreated, LoginCode, LoginCodeExchange, NewLoginCode } from "@tributary/protocol";
import type { FastifyRequest } from "fastify";
import type { App } from "../http/app.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { loginAllowed } from "./access-records.ts";
import { tokenView } from "./api-token-routes.ts";
import type { ApiTokens, MadeToken } from "./api-tokens.ts";
import type { Guard } from "./guard.ts";
import { sessionOwner } from "./session-owner.ts";
import { invalidLoginCode, type LoginCodes } from "./login-codes.ts";
import { actorOf, operatorNamed } from "./principal.ts";
import type { Sessions } from "./sessions.ts";
import type { SignInLimits } from "./sign-in-limits.ts";

export interface LoginCodeRouteOptions {
  readonly store: () => MetadataStore;
  readonly clock: Pick<Clock, "now">;
  readonly guard: Pick<Guard, "refused">;
  readonly codes: LoginCodes;
  readonly tokens: Pick<ApiTokens, "check" | "make">;
  readonly sessions: Pick<Sessions, "get">;
  readonly limits: SignInLimits;
}

const tags = ["access"];

/** `/v1/login-codes`: how `tributary login` signs in by the browser (RFC 8252, with the code challenge of RFC 7636). */
export function registerLoginCodeRoutes(app: App, options: LoginCodeRouteOptions): void {
  const { store, clock, guard, codes, tokens, sessions, limits } = options;

  app.post(
    "/v1/login-codes",
    {
      config: { needs: "view", of: "any" },
      bodyLimit: 8_192,
      schema: {
        summary: "Let a command line act as whoever is signed in: a code for it, good once and for a minute",
        tags,
        body: NewLoginCode,
        response: { 201: LoginCode },
      },
    },
    async (request, reply) => {
      const { principal, body, ip } = request;
      const { challenge, machine, grants, days } = body;
      tokens.check(principal!, grants);
      const session = principal!.session?.id;
      if (session === undefined)
        throw failure(
          "identity/token-makes-none",
          "access: only who is signed in by a browser lets a command line act as them",
        );
      const allowed = { session, machine, grants, address: ip };
      await store().audit.append([loginAllowed(actorOf(request), allowed)], clock.now());
      const wanted = { label: `login ${machine}`, grants, days };
      return reply
        .status(201)
        .header("cache-control", "no-store")
        .send({ code: codes.issue(challenge, { session, wanted }) });
    },
  );

  const exchange = async ({
    body,
    ip,
  }: { readonly body: LoginCodeExchange } & Pick<FastifyRequest, "ip">) => {
    const isNoGuess = limits.attempt(`command line from ${ip}`, ip);
    const { session: id, wanted } = codes.take(body.code, body.verifier);
    const session = await sessions.get(id);
    const owner = session && (await sessionOwner(session, store()));
    // Signed out, or shut out, within the minute.
    if (session === undefined || owner === undefined) throw invalidLoginCode();
    const made: MadeToken = await tokens.make(
      { ...owner, session },
      wanted,
      operatorNamed(owner.name, owner.subject),
    );
    isNoGuess();
    return { made, session };
  };

  app.post(
    "/v1/login-codes/token",
    {
      config: { audience: "public", problems: [403] },
      bodyLimit: 8_192,
      schema: {
        summary: "Exchange a command line's code, once, for a token of whoever allowed it",
        tags,
        body: LoginCodeExchange,
        response: { 201: ApiTokenCreated },
      },
    },
    async (request, reply) => {
      try {
        const { made, session } = await exchange(request);
        const { token, record } = made;
        const view = tokenView({ record, session: record.session === null ? null : session });
        return await reply.status(201).header("cache-control", "no-store").send({ token, view });
      } catch (error) {
        guard.refused(request, error);
        throw error;
      }
    },
  );
}
