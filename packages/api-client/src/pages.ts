import type { CallOptions } from "./calling.ts";

/** Of a list that can grow without bound. */
export interface PageOptions extends CallOptions {
  /** Most rows of the page. @defaultValue the list's own */
  readonly limit?: number | undefined;
  /** `next` of the page before. @defaultValue the first page */
  readonly cursor?: string | undefined;
}

/** Its answer holds, beside the rows, where the next page begins; null: there is none. */
export interface WithNext {
  readonly next: string | null;
}

/** As it is asked for. @param standard rows of a page where `limit` is left out */
export function pageQuery({ limit, cursor }: PageOptions, standard: number) {
  return { limit: limit ?? standard, ...(cursor === undefined ? {} : { cursor }) };
}

/** The cursor of rounds, versions and records of the audit log: those before this number, which is a row's own. */
export function cursorBefore(number: number): string {
  return String(number);
}

/**
 * The pages of a list, one after the other, as far as they are asked for:
 * `for await (const { rounds } of pages((cursor) => api.rounds("digits", { cursor }))) ...`
 */
export async function* pages<Page extends WithNext>(
  read: (cursor: string | undefined) => Promise<Page>,
): AsyncGenerator<Page, void, undefined> {
  let cursor: string | undefined;
  do {
    const page = await read(cursor);
    yield page;
    cursor = page.next ?? undefined;
  } while (cursor !== undefined);
}
