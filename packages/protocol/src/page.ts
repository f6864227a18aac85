import Type, { type TProperties } from "typebox";
import { nullable } from "./schema.ts";

// Lists that can grow without bound are read page by page, all in the same way.

/** Longest cursor, in characters. */
const MAX_CURSOR_LENGTH = 400;

/**
 * Query of such a list.
 *
 * @param max most rows of one page
 * @param standard rows of a page where `limit` is left out
 */
export function pageQuery(max: number, standard: number) {
  return {
    limit: Type.Integer({
      minimum: 1,
      maximum: max,
      default: standard,
      description: "Most rows of the page",
    }),
    cursor: Type.Optional(
      Type.String({
        maxLength: MAX_CURSOR_LENGTH,
        description: "`next` of the page before; left out: the first page",
      }),
    ),
  };
}

/** Its answer: the rows, and where the next page begins. */
export function pageOf<Fields extends TProperties>(fields: Fields) {
  return Type.Object({
    ...fields,
    next: nullable(Type.String(), {
      description:
        "`cursor` of the next page; null: there is none. Nothing else tells: a page may hold less than `limit` and not be the last",
    }),
  });
}
