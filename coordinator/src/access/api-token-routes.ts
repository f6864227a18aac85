import { failure, type Clock } from "@tributary/core";
import {
  ApiTokenCreated,
  ApiTokenIdSchema,
  ApiTokenList,
  NewApiToken,
  type ApiTokenView,
} from "@tributary/protocol";
import type { FastifyRequest } from "fastify";
import Type from "typebox";
import type { App } from "../http/app.ts";
import type { ApiTokenRecord, SessionRecord } from "../ports/access-records.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { timestamp } from "../registry/views.ts";
import { apiTokenChanged } from "./access-records.ts";
import type { ApiTokens } from "./api-tokens.ts";
import { actorOf, may } from "./principal.ts";
import type { Sessions } from "./sessions.ts";

export interface ApiTokenRouteOptions {
  readonly store: () => MetadataStore;
  readonly clock: Pick<Clock, "now">;
  readonly tokens: Pick<ApiTokens, "make">;
  readonly sessions: Pick<Sessions, "list">;
}

/** With the session that it ends with, where it is of one. */
interface Shown {
  readonly record: ApiTokenRecord;
  readonly session: Pick<SessionRecord, "id" | "name"> | null;
}

const tags = ["access"];

/** `/v1/api-tokens`: what programs sign in with. One's own; for admins of all models, everybody's. */
export function registerApiTokenRoutes(app: App, options: ApiTokenRouteOptions): void {
  const { store, clock, tokens, sessions } = options;

  const visible = async ({ principal }: FastifyRequest): Promise<Shown[]> => {
    if (principal === null) return [];
    const all = may(principal, "administer");
    const { account, subject } = principal;
    const begun = new Map((await sessions.list()).map((session) => [session.id, session]));
    return (await store().apiTokens.list()).flatMap((record): Shown[] => {
      const session = record.session === null ? null : begun.get(record.session);
      // What its session ended is gone.
      if (session === undefined) return [];
      const isOwn =
        session === null
          ? account !== undefined && record.account === account
          : subject !== undefined && session.vouched?.subject === subject;
      return all || isOwn ? [{ record, session }] : [];
    });
  };
  const list = async (request: FastifyRequest): Promise<{ tokens: ApiTokenView[] }> => ({
    tokens: (await visible(request)).map(tokenView),
  });

  app.get(
    "/v1/api-tokens",
    {
      config: { of: "any" },
      schema: {
        summary: "Tokens for programs, without the tokens themselves",
        tags,
        response: { 200: ApiTokenList },
      },
    },
    async (request, reply) => {
      reply.header("cache-control", "no-store");
      return list(request);
    },
  );

  app.post(
    "/v1/api-tokens",
    {
      config: { needs: "view", of: "any" },
      schema: {
        summary: "Make a token for a program: it is in this answer, and nowhere else afterwards",
        tags,
        body: NewApiToken,
        response: { 201: ApiTokenCreated },
      },
    },
    async (request, reply) => {
      const { principal, body } = request;
      const { token, record } = await tokens.make(principal!, body, actorOf(request));
      const session = record.session === null ? null : { id: record.session, name: principal!.name };
      return reply
        .status(201)
        .header("cache-control", "no-store")
        .send({ token, view: tokenView({ record, session }) });
    },
  );

  app.delete(
    "/v1/api-tokens/:token",
    {
      config: { needs: "view", of: "any" },
      schema: {
        summary: "Revoke a token",
        tags,
        params: Type.Object({ token: ApiTokenIdSchema }),
        response: { 200: ApiTokenList },
      },
    },
    async (request) => {
      const { token: id } = request.params;
      const found = (await visible(request)).find(({ record }) => record.id === id);
      if (found === undefined)
        throw failure("http/not-found", `access: no token ${id}`, { detail: { token: id } });
      await store().transaction(async (tx) => {
        if (!(await tx.apiTokens.remove(id))) return;
        await tx.audit.append(
          [apiTokenChanged(actorOf(request), "api-token.revoke", found.record)],
          clock.now(),
        );
      });
      return list(request);
    },
  );
}

export function tokenView({ record, session }: Shown): ApiTokenView {
  const { id, label, grants, account, createdAt, expiresAt, usedAt } = record;
  return {
    id,
    label,
    grants,
    account,
    session: session && { id: session.id, name: session.name },
    createdAt: timestamp(createdAt),
    expiresAt: expiresAt === null ? null : timestamp(expiresAt),
    usedAt: usedAt === null ? null : timestamp(usedAt),
  };
}
