import type { ModelName } from "@tributary/core";
import { SEARCH_KINDS, SearchResult, type SearchKind, type SearchView } from "@tributary/protocol";
import Type from "typebox";
import { fieldCursors } from "../pages/cursors.ts";
import type { Found, SearchHit, SearchPlace, SearchRepository } from "../ports/search-repository.ts";
import { timestamp } from "../registry/views.ts";
import { kindsOf } from "./fields.ts";
import { invalidQuery } from "./invalid-query.ts";
import { parseQuery } from "./parse-query.ts";
import { printQuery } from "./print-query.ts";
import { fieldsOf } from "./query.ts";

export interface SearchAsked {
  readonly query: string;
  readonly kind?: SearchKind | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
  /** What is found is of one of these. @defaultValue null: of any model */
  readonly models?: readonly ModelName[] | null;
}

/** Rows of each kind that one request looks at: what keeps a query of anything short. */
export const SCANNED_ROWS = 5_000;

const cursors = fieldCursors(
  Type.Object({ at: Type.Integer(), kind: SearchResult.properties.kind, key: Type.String() }),
);

/**
 * Versions, rounds and tasks that a query asks for, newest first.
 *
 * @throws `search/invalid-query`, `http/invalid-cursor`
 */
export async function search(
  repository: SearchRepository,
  { query: text, kind, limit, cursor, models = null }: SearchAsked,
  now: number,
  scan = SCANNED_ROWS,
): Promise<SearchView> {
  const query = parseQuery(text);
  const fields = fieldsOf(query);
  const known = kindsOf(fields);
  const kinds = kind === undefined ? known : known.filter((each) => each === kind);
  if (kinds.length === 0)
    throw invalidQuery(
      text,
      1,
      kind === undefined
        ? `nothing has all of ${[...fields].join(", ")}`
        : `a ${kind} has not all of ${[...fields].join(", ")}`,
    );
  const after = cursor === undefined ? undefined : cursors.read(cursor);
  const found: Found[] = [];
  // One more than is shown tells whether there is another page.
  for (const each of kinds)
    found.push(await repository.find({ kind: each, query, models, now, after, limit: limit + 1, scan }));
  // What lies behind the first place where a kind was not looked at further may come between.
  const frontier = found.flatMap(({ until }) => (until === undefined ? [] : [until])).toSorted(compare)[0];
  const hits = found
    .flatMap((each) => each.hits)
    .filter((hit) => frontier === undefined || compare(hit, frontier) <= 0)
    .toSorted(compare);
  const shown = hits.slice(0, limit);
  const next = hits.length > limit ? shown.at(-1) : frontier;
  return {
    query: printQuery(query),
    kinds,
    results: shown.map(resultOf),
    next: next === undefined ? null : cursors.write({ at: next.at, kind: next.kind, key: next.key }),
  };
}

function resultOf(found: SearchHit & SearchPlace): SearchResult {
  const { key: _, at, ...hit } = found;
  return { ...hit, at: timestamp(at) };
}

/** Newest first; of one time by kind, then by key, greatest first. */
function compare(a: SearchPlace, b: SearchPlace): number {
  if (a.at !== b.at) return b.at - a.at;
  if (a.kind !== b.kind) return SEARCH_KINDS.indexOf(a.kind) - SEARCH_KINDS.indexOf(b.kind);
  if (a.key === b.key) return 0;
  return a.key < b.key ? 1 : -1;
}
