import { ModelNameSchema, RetentionPreview, RetentionRule, RetentionView } from "@tributary/protocol";
import Type from "typebox";
import { actorOf } from "../access/principal.ts";
import type { Registry } from "../registry/registry.ts";
import type { App } from "./app.ts";

const tags = ["operator"];
const params = Type.Object({ model: ModelNameSchema });

/** How long versions can be downloaded. */
export function registerRetentionRoutes(
  app: App,
  { registry }: { readonly registry: Pick<Registry, "retention" | "previewRetention" | "setRetention"> },
): void {
  app.get(
    "/v1/models/:model/retention",
    {
      schema: {
        summary: "Which versions of a model can be downloaded, and why they stay",
        tags,
        params,
        response: { 200: RetentionView },
      },
    },
    ({ params: { model } }) => registry.retention(model),
  );

  app.get(
    "/v1/models/:model/retention/preview",
    {
      schema: {
        summary: "What another rule would take out of the release, and whose files it would delete",
        tags,
        params,
        querystring: RetentionRule,
        response: { 200: RetentionPreview },
      },
    },
    ({ params: { model }, query }) => registry.previewRetention(model, query),
  );

  app.put(
    "/v1/models/:model/retention",
    {
      schema: {
        summary:
          "Give a model another rule: what does not stay by it leaves the release at once, but for what devices may still need",
        tags,
        security: [{ operator: [] }],
        params,
        body: RetentionRule,
        response: { 200: RetentionView },
      },
    },
    (request) => registry.setRetention(request.params.model, request.body, actorOf(request)),
  );
}
