import { failure, parseStrictJson as parse, StrictJsonError, type StrictJson } from "@tributary/core";
import type { JsonValue } from "./json.ts";

/** Bounds for {@linkcode parseStrictJson}. */
export interface StrictJsonOptions {
  /** Nesting of objects and arrays. */
  readonly maxDepth: number;
  /** What is parsed, for messages. */
  readonly label: string;
}

/**
 * Parses JSON the way signed metadata needs it: valid UTF-8 without a byte order mark, no repeated object keys, integers of
 * magnitude below 2^53 only, bounded nesting.
 *
 * @throws TributaryError `tuf/invalid-metadata`, with the position.
 */
export function parseStrictJson(bytes: Uint8Array, { maxDepth, label }: StrictJsonOptions): JsonValue {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw failure("tuf/invalid-metadata", `tuf: ${label} is not UTF-8`, { cause });
  }
  try {
    return plain(parse(text, maxDepth));
  } catch (cause) {
    if (!(cause instanceof StrictJsonError)) throw cause;
    const { message, at } = cause;
    throw failure("tuf/invalid-metadata", `tuf: ${label}: ${message}`, { detail: { at } });
  }
}

function plain(value: StrictJson): JsonValue {
  if (Array.isArray(value)) return value.map(plain);
  if (!(value instanceof Map)) return value as JsonValue;
  // Own properties, "__proto__" too.
  return Object.fromEntries(
    Array.from(value as ReadonlyMap<string, StrictJson>, ([key, each]) => [key, plain(each)]),
  );
}
