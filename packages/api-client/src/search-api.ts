import type { Client } from "openapi-fetch";
import { answered, json, type CallOptions } from "./calling.ts";
import type { paths } from "./generated/api.ts";
import { pageQuery, type PageOptions } from "./pages.ts";
import type { CompareView, SearchField, SearchKind, SearchView } from "./views.ts";

export interface SearchOptions extends PageOptions {
  /** Only these; left out: all that know the fields of the query. */
  readonly kind?: SearchKind | undefined;
}

/** Versions, rounds and tasks by what they came to, alone or side by side. */
export interface SearchApi {
  /** Versions, rounds and tasks that a query asks for, newest first: `accuracy > 0.95 and strategy = fedAdam`. */
  search(query: string, options?: SearchOptions): Promise<SearchView>;
  /** What can be searched by. */
  searchFields(options?: CallOptions): Promise<readonly SearchField[]>;
  /** Two to six tasks (`digits`) or versions (`digits@12`) side by side. */
  compare(of: readonly string[], options?: CallOptions): Promise<CompareView>;
}

export function searchApi(http: Client<paths>): SearchApi {
  return {
    search: (query, { kind, ...options } = {}) =>
      answered("GET /v1/search", options, () =>
        http.GET("/v1/search", {
          params: { query: { query, ...pageQuery(options, 50), ...(kind === undefined ? {} : { kind }) } },
          ...json(options),
        }),
      ),
    searchFields: async (call) =>
      (await answered("GET /v1/search/fields", call, () => http.GET("/v1/search/fields", { ...json(call) })))
        .fields,
    compare: (of, call) =>
      answered("GET /v1/compare", call, () =>
        http.GET("/v1/compare", { params: { query: { of: [...of] } }, ...json(call) }),
      ),
  };
}
