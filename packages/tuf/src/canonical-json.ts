import { failure, LONE_SURROGATE } from "@tributary/core";
import type { JsonValue } from "./json.ts";

/**
 * OLPC canonical JSON, the form that TUF signs: no whitespace, keys sorted, integers only, and in strings only
 * `"` and `\` escaped (control characters stand as themselves, so the result is not always valid JSON).
 *
 * Keys are sorted by code point, as the Python reference does; sorting by UTF-16 unit differs for characters beyond the BMP.
 *
 * @throws TributaryError `tuf/not-canonical` for fractions, unsafe integers, lone surrogates and values JSON does not have.
 * @see http://wiki.laptop.org/go/Canonical_JSON
 */
export function canonicalJson(value: JsonValue): Uint8Array<ArrayBuffer> {
  const parts: string[] = [];
  write(value, parts);
  return new TextEncoder().encode(parts.join(""));
}

function write(value: JsonValue, parts: string[]): void {
  if (value === null) parts.push("null");
  else if (typeof value === "boolean") parts.push(value ? "true" : "false");
  else if (typeof value === "number") parts.push(integer(value));
  else if (typeof value === "string") parts.push(quoted(value));
  else if (Array.isArray(value)) {
    parts.push("[");
    for (const [index, item] of value.entries()) {
      if (index > 0) parts.push(",");
      write(item as JsonValue, parts);
    }
    parts.push("]");
  } else if (typeof value === "object") {
    parts.push("{");
    const entries = Object.entries(value).sort(([a], [b]) => compareCodePoints(a, b));
    for (const [index, [key, item]] of entries.entries()) {
      if (index > 0) parts.push(",");
      parts.push(quoted(key), ":");
      write(item, parts);
    }
    parts.push("}");
  } else {
    throw failure("tuf/not-canonical", `tuf: canonical JSON cannot hold a ${typeof value}`);
  }
}

function integer(value: number): string {
  if (!Number.isSafeInteger(value)) {
    throw failure(
      "tuf/not-canonical",
      `tuf: canonical JSON holds only integers of magnitude below 2^53, got ${value}; write fractions as text`,
    );
  }
  // -0 has no spelling of its own.
  return String(value === 0 ? 0 : value);
}

function quoted(text: string): string {
  // A lone surrogate has no UTF-8: TextEncoder would replace it and two different values would sign alike.
  if (LONE_SURROGATE.test(text)) {
    throw failure("tuf/not-canonical", "tuf: canonical JSON cannot hold a lone surrogate");
  }
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}

/** Orders strings by Unicode code point: surrogate pairs come after U+E000 to U+FFFF. */
function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Moves surrogates above the rest of the BMP. */
function rank(unit: number): number {
  if (unit >= 0xe000) return unit - 0x800;
  return unit >= 0xd800 ? unit + 0x2000 : unit;
}
