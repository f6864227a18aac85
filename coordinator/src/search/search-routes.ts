import { SearchFieldList, SearchQuery, SearchView } from "@tributary/protocol";
import type { Clock } from "@tributary/core";
import { modelsSeen } from "../access/principal.ts";
import type { App } from "../http/app.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { SEARCH_FIELDS } from "./fields.ts";
import { search } from "./search.ts";

const tags = ["operator"];

/** `GET /v1/search` and what can be searched by. */
export function registerSearchRoutes(
  app: App,
  { store, clock }: { readonly store: Pick<MetadataStore, "search">; readonly clock: Clock },
): void {
  app.get(
    "/v1/search",
    {
      config: { of: "any" },
      schema: {
        summary: "Versions, rounds and tasks that a query asks for, newest first",
        description:
          'Such as `accuracy > 0.95 and strategy = fedAdam`, `loss <= 0.1 or version in (3, 4)`, `not model ~ "trial" and created > 7d ago`. Operators: = != < <= > >= ~ (holds the text) !~ in (...); and, or, not, parentheses; values: numbers, 95%, words, "texts", dates, 7d ago, yes, no, none. What has no value only meets !=, !~ and not.',
        tags,
        querystring: SearchQuery,
        response: { 200: SearchView },
      },
    },
    async ({ query, principal }) =>
      search(store.search, { ...query, models: modelsSeen(principal) }, clock.now()),
  );

  app.get(
    "/v1/search/fields",
    {
      config: { of: "any" },
      schema: {
        summary: "What can be searched by",
        tags,
        response: { 200: SearchFieldList },
      },
    },
    async () => ({
      fields: SEARCH_FIELDS.map(({ name, type, kinds, description, choices, open }) => ({
        name,
        type,
        kinds: [...kinds],
        description,
        choices: choices === undefined ? null : [...choices],
        open: open === true,
      })),
    }),
  );
}
