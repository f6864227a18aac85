import { decodeBase64url, decodeUtf8, encodeBase64url, encodeUtf8, failure } from "@tributary/core";
import type { Static, TSchema } from "typebox";
import { Check } from "typebox/value";

/** How a place in a list is written for whoever reads on from it. */
export interface Cursors<Place> {
  write(place: Place): string;
  /** @throws `http/invalid-cursor` */
  read(cursor: string): Place;
}

/**
 * Of lists by a number, or a text: it itself, so that people can write one.
 *
 * @param read a place; throws where the text is none
 */
export function plainCursors<Place extends string | number>(read: (text: string) => Place): Cursors<Place> {
  return { write: String, read: (cursor) => orInvalid(cursor, () => read(cursor)) };
}

/** A number from 0 on in its one form. @throws `RangeError` */
export function numberOf(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0 && String(number) === text) return number;
  throw new RangeError(`expected an integer from 0 on, got ${JSON.stringify(text)}`);
}

/** Of other lists: the fields that its rows are in order by. */
export function fieldCursors<Fields extends TSchema>(fields: Fields): Cursors<Static<Fields>> {
  return {
    write: (place) => encodeBase64url(encodeUtf8(JSON.stringify(place))),
    read: (cursor) =>
      orInvalid(cursor, () => {
        const place: unknown = JSON.parse(decodeUtf8(decodeBase64url(cursor)));
        if (Check(fields, place)) return place;
        throw new RangeError("the fields are others");
      }),
  };
}

function orInvalid<Place>(cursor: string, read: () => Place): Place {
  try {
    return read();
  } catch (cause) {
    throw failure(
      "http/invalid-cursor",
      `http: ${JSON.stringify(cursor.slice(0, 80))} is no cursor of this list`,
      {
        detail: { in: "querystring", path: "/cursor" },
        cause,
      },
    );
  }
}
