import { LONE_SURROGATE } from "@tributary/core";

/** What JSON holds. */
export type JsonDocument =
  | null
  | boolean
  | number
  | string
  | readonly JsonDocument[]
  | { readonly [key: string]: JsonDocument };

/**
 * The canonical form of a JSON document (RFC 8785): no white space, keys in the order of their UTF-16 units, numbers and texts as
 * ECMAScript writes them. Equal documents have equal texts, in whichever program they were read and written.
 *
 * @throws RangeError for numbers and texts that JSON cannot hold
 */
export function canonicalText(value: JsonDocument): string {
  if (typeof value === "number" && !Number.isFinite(value))
    throw new RangeError(`canonical JSON holds finite numbers only, got ${value}`);
  if (typeof value === "string" && LONE_SURROGATE.test(value))
    throw new RangeError("canonical JSON holds no text with a lone surrogate");
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (isList(value)) return `[${value.map(canonicalText).join(",")}]`;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${canonicalText(key)}:${canonicalText(item)}`).join(",")}}`;
}

function isList(value: object): value is readonly JsonDocument[] {
  return Array.isArray(value);
}
