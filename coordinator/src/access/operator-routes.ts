import {
  AccountNameSchema,
  GrantsChange,
  NewOperator,
  OperatorList,
  OperatorView,
  PasswordSet,
} from "@tributary/protocol";
import Type from "typebox";
import type { App } from "../http/app.ts";
import type { AccountRecord } from "../ports/access-records.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { timestamp } from "../registry/views.ts";
import type { Operators } from "./operators.ts";
import { actorOf } from "./principal.ts";

export interface OperatorRouteOptions {
  readonly store: () => Pick<MetadataStore, "accounts">;
  readonly operators: Operators;
}

const tags = ["access"];
const config = { needs: "administer", of: "all" } as const;
const params = Type.Object({ operator: AccountNameSchema });

/** `/v1/operators`: who has an account, for admins of all models. */
export function registerOperatorRoutes(app: App, { store, operators }: OperatorRouteOptions): void {
  const list = async (): Promise<{ operators: OperatorView[] }> => ({
    operators: (await store().accounts.list()).map(operatorView),
  });

  app.get(
    "/v1/operators",
    { config, schema: { summary: "The accounts of operators", tags, response: { 200: OperatorList } } },
    async (_, reply) => {
      reply.header("cache-control", "no-store");
      return list();
    },
  );

  app.post(
    "/v1/operators",
    {
      config,
      bodyLimit: 16_384,
      schema: { summary: "Add an operator", tags, body: NewOperator, response: { 201: OperatorView } },
    },
    async (request, reply) =>
      reply.status(201).send(operatorView(await operators.add(actorOf(request), request.body))),
  );

  app.put(
    "/v1/operators/:operator/grants",
    {
      config,
      schema: {
        summary: "Give an operator other roles, from the next request on",
        tags,
        params,
        body: GrantsChange,
        response: { 200: OperatorView },
      },
    },
    async (request) =>
      operatorView(await operators.grant(actorOf(request), request.params.operator, request.body.grants)),
  );

  app.put(
    "/v1/operators/:operator/password",
    {
      config,
      bodyLimit: 8_192,
      schema: {
        summary: "Give an operator another password: their browsers are signed out",
        tags,
        params,
        body: PasswordSet,
        response: { 200: OperatorView },
      },
    },
    async (request) =>
      operatorView(
        await operators.setPassword(actorOf(request), request.params.operator, request.body.password),
      ),
  );

  app.delete(
    "/v1/operators/:operator",
    {
      config,
      schema: {
        summary: "Remove an operator, with their sessions and tokens",
        tags,
        params,
        response: { 200: OperatorList },
      },
    },
    async (request) => {
      await operators.remove(actorOf(request), request.params.operator);
      return list();
    },
  );
}

function operatorView({ name, grants, createdAt, passwordChangedAt }: AccountRecord): OperatorView {
  return {
    name,
    grants,
    createdAt: timestamp(createdAt),
    passwordChangedAt: timestamp(passwordChangedAt),
  };
}
