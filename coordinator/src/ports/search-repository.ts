import type { ModelName } from "@tributary/core";
import type { SearchKind, SearchResult } from "@tributary/protocol";
import type { Query } from "../search/query.ts";

/** What the search looks through: versions, rounds and tasks. */
export interface SearchRepository {
  /** Of one kind, newest first. */
  find(search: Search): Promise<Found>;
}

/** The place of a row: the time it was made or began, then its kind, then its key. */
export interface SearchPlace {
  readonly at: number;
  readonly kind: SearchKind;
  readonly key: string;
}

export interface Search {
  readonly kind: SearchKind;
  /** All fields in it are known of the kind. */
  readonly query: Query;
  /** Only rows of these are looked at; null: of any. */
  readonly models: readonly ModelName[] | null;
  /** What "ago" counts from. */
  readonly now: number;
  /** Only rows after it, which are older. */
  readonly after: SearchPlace | undefined;
  readonly limit: number;
  /** Rows that are looked at, at most. */
  readonly scan: number;
}

export interface Found {
  readonly hits: readonly (SearchHit & SearchPlace)[];
  /** The last row that was looked at; undefined: all were. */
  readonly until: SearchPlace | undefined;
}

/** What is told of a version, a round or a task that was found. */
export type SearchHit = Omit<SearchResult, "kind" | "at">;
