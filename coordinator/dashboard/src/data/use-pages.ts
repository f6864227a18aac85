import type { RoundView, VersionView } from "@tributary/api-client";
import {
  type InfiniteData,
  infiniteQueryOptions,
  useInfiniteQuery,
  useQuery,
  type UseInfiniteQueryResult,
} from "@tanstack/react-query";
import type { RowsPage } from "../live/pages.ts";
import { useDashboard } from "./dashboard-context.ts";
import { type Cursor, nextOf, type Queries } from "./queries.ts";

type Pages<Item> = UseInfiniteQueryResult<readonly Item[], Error>;

/** The rounds of a task, newest first, as far as they were read; `fetchNextPage` reads older ones. */
export function useRounds(task: string): Pages<RoundView> {
  return useInfiniteQuery(roundPages(useDashboard().queries, task));
}

/** Likewise the versions of a model. */
export function useVersions(model: string): Pages<VersionView> {
  return useInfiniteQuery(versionPages(useDashboard().queries, model));
}

/** One version: of the pages that were read of its model or, where it is in none of them, read by itself. */
export function useVersion(model: string, version: number | null | undefined): VersionView | undefined {
  const { queries } = useDashboard();
  const { data: rows } = useVersions(model);
  const found = rows?.find((row) => row.version === version);
  const isOlder = rows !== undefined && found === undefined && typeof version === "number";
  const { data } = useQuery({ ...queries.version(model, version ?? 1), enabled: isOlder });
  return found ?? (isOlder ? data : undefined);
}

export function roundPages(queries: Queries, task: string) {
  return infiniteQueryOptions({
    queryKey: ["round-pages", task],
    queryFn: ({ pageParam, signal }) => queries.readRounds(task, pageParam, signal),
    initialPageParam: undefined as Cursor,
    getNextPageParam: nextOf,
    select: rowsOf<RoundView>,
  });
}

export function versionPages(queries: Queries, model: string) {
  return infiniteQueryOptions({
    queryKey: ["version-pages", model],
    queryFn: ({ pageParam, signal }) => queries.readVersions(model, pageParam, signal),
    initialPageParam: undefined as Cursor,
    getNextPageParam: nextOf,
    select: rowsOf<VersionView>,
  });
}

function rowsOf<Item>({ pages }: InfiniteData<RowsPage<Item>, Cursor>): readonly Item[] {
  return pages.flatMap(({ rows }) => rows);
}
