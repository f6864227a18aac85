import type { Client } from "openapi-fetch";
import { answered, json, type CallOptions } from "./calling.ts";
import type { paths } from "./generated/api.ts";
import type { CompareView, SearchField, SearchKind, SearchView } from "./views.ts";

export interface SearchOptions extends CallOptions {
  /** Only these; left out: all that know the fields of the query. */
  readonly kind?: SearchKind | undefined;
  /** At most this many, 1 to 200. @defaultValue 50 */
  readonly limit?: number | undefined;
  /** `next` of the page before. */
  readonly cursor?: string | undefined;
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
    search: (query, { kind, limit = 50, cursor, ...call } = {}) =>
      answered("GET /v1/search", call, () =>
        http.GET("/v1/search", {
          params: {
            query: {
              query,
              limit,
              ...(kind === undefined ? {} : { kind }),
              ...(cursor === undefined ? {} : { cursor }),
            },
          },
          ...json(call),
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
