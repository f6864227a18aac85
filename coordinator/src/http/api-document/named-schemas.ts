import * as protocol from "@tributary/protocol";
import { asWritten } from "./as-written.ts";
import type { Json } from "./openapi.ts";

/**
 * The documents of the protocol, by their names in it: what bodies and answers are made of. As they are sent, where something may be
 * left out then, with "Input" behind the name.
 */
export function namedSchemas(): Readonly<Record<string, Json>> {
  // Of two that are the same the first by name: modules list what they export in the order of whoever loads them.
  const named = Object.entries(protocol as unknown as Record<string, Json>)
    .filter(([, value]) => isDocument(value))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  const sent = named.map(([name, schema]) => [`${name}Input`, asWritten(schema)] as const);
  // Those that are the same have the name without it, which comes first.
  return Object.fromEntries([...named, ...sent]);
}

/** A schema of an object, or of a choice between some. */
function isDocument(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { type, properties, anyOf } = value as { type?: unknown; properties?: unknown; anyOf?: unknown };
  if (type === "object") return typeof properties === "object";
  return Array.isArray(anyOf) && anyOf.some(isDocument);
}
