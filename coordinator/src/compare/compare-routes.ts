import { CompareQuery, CompareView } from "@tributary/protocol";
import { sees } from "../access/principal.ts";
import type { App } from "../http/app.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { compare } from "./compare.ts";

/** `GET /v1/compare?of=digits-a&of=digits@12` */
export function registerCompareRoutes(app: App, { store }: { readonly store: MetadataStore }): void {
  app.get(
    "/v1/compare",
    {
      config: { of: "any", problems: [404] },
      schema: {
        summary:
          "Two to six tasks or versions side by side: parameters, curves, metrics and which differences are significant",
        tags: ["operator"],
        querystring: CompareQuery,
        response: { 200: CompareView },
      },
    },
    async (request) => compare(store, request.query.of, (model) => sees(request, model)),
  );
}
