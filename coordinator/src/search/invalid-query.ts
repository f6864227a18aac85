import { failure, type TributaryError } from "@tributary/core";

/** A query that cannot be read: what is wrong, at which column, and what was expected there. */
export function invalidQuery(
  query: string,
  column: number,
  problem: string,
  more: { readonly expected?: string } = {},
): TributaryError {
  const wanted = more.expected === undefined ? "" : `; expected ${more.expected}`;
  return failure("search/invalid-query", `search: column ${column} of the query: ${problem}${wanted}`, {
    detail: {
      column,
      problem,
      ...(more.expected === undefined ? {} : { expected: more.expected }),
      query: query.slice(0, 200),
    },
  });
}
