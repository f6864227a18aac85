import type { ModelName } from "@tributary/core";
import { AliasList, AliasRequest, AliasSchema, AliasView, ModelNameSchema } from "@tributary/protocol";
import Type from "typebox";
import { actorOf } from "../access/principal.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { Registry } from "../registry/registry.ts";
import { aliasView } from "../registry/views.ts";
import type { App } from "./app.ts";

export interface AliasRouteOptions {
  readonly store: Pick<MetadataStore, "aliases">;
  readonly registry: Pick<Registry, "model" | "moveAlias" | "removeAlias">;
}

const tags = ["operator"];
const operator = [{ operator: [] }];
const modelParams = Type.Object({ model: ModelNameSchema });
const aliasParams = Type.Object({ model: ModelNameSchema, alias: AliasSchema });

/** What versions are called. */
export function registerAliasRoutes(app: App, { store, registry }: AliasRouteOptions): void {
  const aliasesOf = async (model: ModelName): Promise<AliasList> => ({
    aliases: (await store.aliases.list(model)).map(aliasView),
  });

  app.get(
    "/v1/models/:model/aliases",
    {
      schema: {
        summary: "What versions of a model are called",
        tags,
        params: modelParams,
        response: { 200: AliasList },
      },
    },
    async ({ params }) => aliasesOf((await registry.model(params.model)).name),
  );

  app.put(
    "/v1/models/:model/aliases/:alias",
    {
      schema: {
        summary:
          "Give a version a name, and take it from the version that had it; champion, candidate, newest and stable follow by themselves",
        tags,
        security: operator,
        params: aliasParams,
        body: AliasRequest,
        response: { 200: AliasView },
      },
    },
    async (request) => {
      const { model, alias } = request.params;
      return aliasView(await registry.moveAlias(model, alias, request.body.version, actorOf(request)));
    },
  );

  app.delete(
    "/v1/models/:model/aliases/:alias",
    {
      schema: {
        summary: "Remove an alias of one's own",
        tags,
        security: operator,
        params: aliasParams,
        response: { 200: AliasList },
      },
    },
    async (request) => {
      const { model, alias } = request.params;
      await registry.removeAlias(model, alias, actorOf(request));
      return aliasesOf(model);
    },
  );
}
