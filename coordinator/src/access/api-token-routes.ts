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
import type { ApiTokenRecord } from "../ports/access-records.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { timestamp } from "../registry/views.ts";
import { apiTokenChanged } from "./access-records.ts";
import type { ApiTokens } from "./api-tokens.ts";
import { actorOf, may } from "./principal.ts";

export interface ApiTokenRouteOptions {
  readonly store: () => MetadataStore;
  readonly clock: Pick<Clock, "now">;
  readonly tokens: Pick<ApiTokens, "make">;
}

const tags = ["access"];

/** `/v1/api-tokens`: what programs sign in with. One's own; for admins of all models, everybody's. */
export function registerApiTokenRoutes(app: App, { store, clock, tokens }: ApiTokenRouteOptions): void {
  const visible = async ({ principal }: FastifyRequest): Promise<ApiTokenRecord[]> => {
    if (principal === null) return [];
    if (may(principal, "administer")) return store().apiTokens.list();
    return principal.account === undefined ? [] : store().apiTokens.list(principal.account);
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
      const { principal } = request;
      // A token makes none that outlives it, and whom an identity provider knows could lose their roles there without losing it.
      if (principal === null || (principal.kind !== "account" && !may(principal, "administer")))
        throw failure("identity/forbidden", "access: tokens are made by accounts, signed in, and by admins", {
          detail: { needs: "administer" },
        });
      const { token, record } = tokens.make(principal, request.body);
      await store().transaction(async (tx) => {
        await tx.apiTokens.insert(record);
        await tx.audit.append([apiTokenChanged(actorOf(request), "api-token.create", record)], clock.now());
      });
      return reply
        .status(201)
        .header("cache-control", "no-store")
        .send({ token, view: tokenView(record) });
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
      const record = (await visible(request)).find((each) => each.id === id);
      if (record === undefined)
        throw failure("http/not-found", `access: no token ${id}`, { detail: { token: id } });
      await store().transaction(async (tx) => {
        if (!(await tx.apiTokens.remove(id))) return;
        await tx.audit.append([apiTokenChanged(actorOf(request), "api-token.revoke", record)], clock.now());
      });
      return list(request);
    },
  );
}

function tokenView({
  id,
  label,
  grants,
  account,
  createdAt,
  expiresAt,
  usedAt,
}: ApiTokenRecord): ApiTokenView {
  return {
    id,
    label,
    grants,
    account,
    createdAt: timestamp(createdAt),
    expiresAt: expiresAt === null ? null : timestamp(expiresAt),
    usedAt: usedAt === null ? null : timestamp(usedAt),
  };
}
