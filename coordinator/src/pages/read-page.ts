import type { Cursors } from "./cursors.ts";

/** What is asked of a list: `pageQuery` of the protocol. */
export interface PageAsked {
  readonly limit: number;
  readonly cursor?: string;
}

export interface Page<Row> {
  readonly rows: readonly Row[];
  /** Null: there is no other page. */
  readonly next: string | null;
}

/** Reads a page: at most `limit` rows that come behind a place, in the list's order. */
export type PageReader<Row, Place> = (
  asked: PageAsked,
  read: (page: { readonly limit: number; readonly before?: Place }) => Promise<readonly Row[]>,
) => Promise<Page<Row>>;

/**
 * Pages of a list. A cursor is the place of the last row that was seen, not the row: rows may be gone meanwhile, and others come.
 *
 * @param placeOf of each row another; rows are in order by it
 */
export function pageReader<Row, Place>(
  cursors: Cursors<Place>,
  placeOf: (row: Row) => Place,
): PageReader<Row, Place> {
  return async ({ limit, cursor }, read) => {
    // One more than is shown tells whether there is another page.
    const found = await read({
      limit: limit + 1,
      ...(cursor === undefined ? {} : { before: cursors.read(cursor) }),
    });
    const rows = found.slice(0, limit);
    return { rows, next: found.length > limit ? cursors.write(placeOf(rows.at(-1)!)) : null };
  };
}
