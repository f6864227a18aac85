import type { RoundView, VersionView } from "@tributary/api-client";

// Long lists are read page by page, newest first: what an event does to those that were read.

/** Rows, and the cursor of the page behind them; null: there is none. */
export interface RowsPage<Item> {
  readonly rows: readonly Item[];
  readonly next: string | null;
}

export const byNumber = ({ number }: RoundView): number => number;
export const byVersion = ({ version }: VersionView): number => version;

/**
 * Pages with an item in its newest state. One that is newer than all of them begins the first page; one that was not
 * read yet stays away.
 *
 * @param newest whether the first page holds the newest
 */
export function inPages<Item>(
  pages: readonly RowsPage<Item>[],
  item: Item,
  orderOf: (item: Item) => number,
  newest = true,
): RowsPage<Item>[] {
  const order = orderOf(item);
  let known = false;
  const changed = pages.map((page) => {
    const at = page.rows.findIndex((each) => orderOf(each) === order);
    if (at === -1) return page;
    known = true;
    return { ...page, rows: page.rows.with(at, item) };
  });
  const [first = { rows: [], next: null }, ...rest] = changed;
  const top = first.rows[0];
  if (known || !newest || (top !== undefined && orderOf(top) > order)) return changed;
  return [{ ...first, rows: [item, ...first.rows] }, ...rest];
}
