import * as protocol from "@tributary/protocol";
import type { Json } from "./openapi.ts";

/** The documents of the protocol, by their names in it: what bodies and answers are made of. */
export function namedSchemas(): Readonly<Record<string, Json>> {
  return Object.fromEntries(
    Object.entries(protocol as unknown as Record<string, Json>).filter(([, value]) => isDocument(value)),
  );
}

/** A schema of an object, or of a choice between some. */
function isDocument(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { type, properties, anyOf } = value as { type?: unknown; properties?: unknown; anyOf?: unknown };
  if (type === "object") return typeof properties === "object";
  return Array.isArray(anyOf) && anyOf.some(isDocument);
}
