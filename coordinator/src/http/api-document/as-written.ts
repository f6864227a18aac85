import type { Json } from "./openapi.ts";

/** A schema as who sends a document meets it: what has a default may be left out. */
export function asWritten<Schema>(schema: Schema): Schema {
  return JSON.parse(JSON.stringify(schema), (_key, node: Json) => {
    if (typeof node !== "object" || node === null || Array.isArray(node)) return node;
    const { required, properties, ...others } = node as Readonly<Record<string, Json>>;
    if (!Array.isArray(required) || typeof properties !== "object" || properties === null) return node;
    const needed = (required as readonly string[]).filter((name) => !hasDefault(properties, name));
    return { ...others, ...(needed.length > 0 && { required: needed }), properties };
  }) as Schema;
}

function hasDefault(properties: object, name: string): boolean {
  const property = (properties as Readonly<Record<string, object>>)[name];
  return property !== undefined && "default" in property;
}
