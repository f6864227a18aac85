import type { ModelName } from "@tributary/core";
import {
  CardNotes,
  CardNotesView,
  ModelCard,
  ModelNameSchema,
  VersionOrAliasParam,
} from "@tributary/protocol";
import Type from "typebox";
import { actorOf } from "../access/principal.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { versionInPath } from "../registry/aliases.ts";
import { cardMarkdown } from "../registry/card-markdown.ts";
import { cardNotesView, modelCard } from "../registry/model-card.ts";
import type { Registry } from "../registry/registry.ts";
import type { App } from "./app.ts";
import { prefersMarkdown } from "./prefers-markdown.ts";

export interface CardRouteOptions {
  readonly store: Pick<MetadataStore, "channels" | "aliases">;
  readonly registry: Pick<Registry, "model" | "version" | "setCardNotes">;
}

const MARKDOWN = "text/markdown; charset=utf-8";
const tags = ["operator"];
const modelParams = Type.Object({ model: ModelNameSchema });
const versionParams = Type.Object({ model: ModelNameSchema, version: VersionOrAliasParam });

/** Model cards, and what operators write on them. */
export function registerCardRoutes(app: App, { store, registry }: CardRouteOptions): void {
  const cardOf = async (name: ModelName, version: string): Promise<ModelCard> =>
    modelCard(await registry.model(name), await registry.version(name, versionInPath(version)), {
      channels: await store.channels.list(name),
      aliases: await store.aliases.list(name),
    });

  app.get(
    "/v1/models/:model/versions/:version/card",
    {
      schema: {
        summary: "The card of a version: what is known of it. As Markdown where that is preferred",
        tags,
        params: versionParams,
        response: { 200: ModelCard },
      },
    },
    async (request, reply) => {
      const card = await cardOf(request.params.model, request.params.version);
      void reply.header("vary", "accept");
      if (!prefersMarkdown(request.headers.accept)) return card;
      return reply
        .type(MARKDOWN)
        .serializer(String)
        .send(cardMarkdown(card) as never);
    },
  );

  app.get(
    "/v1/models/:model/versions/:version/card.md",
    {
      schema: {
        summary: "The card of a version as Markdown",
        tags,
        params: versionParams,
        produces: ["text/markdown"],
        response: { 200: Type.String() },
      },
    },
    async ({ params }, reply) =>
      reply
        .type(MARKDOWN)
        .serializer(String)
        .send(cardMarkdown(await cardOf(params.model, params.version))),
  );

  app.get(
    "/v1/models/:model/card-notes",
    {
      schema: {
        summary: "What operators wrote on the cards of a model",
        tags,
        params: modelParams,
        response: { 200: CardNotesView },
      },
    },
    async ({ params }) => cardNotesView(await registry.model(params.model)),
  );

  app.put(
    "/v1/models/:model/card-notes",
    {
      schema: {
        summary: "Write on the cards of a model, in the place of what was there",
        tags,
        security: [{ operator: [] }],
        params: modelParams,
        body: CardNotes,
        response: { 200: CardNotesView },
      },
    },
    async (request) =>
      cardNotesView(await registry.setCardNotes(request.params.model, request.body, actorOf(request))),
  );
}
