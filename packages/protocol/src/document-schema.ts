import type { TSchema } from "typebox";

export type SchemaJson =
  | null
  | boolean
  | number
  | string
  | readonly SchemaJson[]
  | { readonly [key: string]: SchemaJson };
type JsonObject = { readonly [key: string]: SchemaJson };

/**
 * The JSON Schema (draft 2020-12) of a document as an operator writes it: what has a default may be left out, and `$schema` may say where
 * an editor finds this.
 */
export function documentSchema(id: string, title: string, schema: TSchema): JsonObject {
  return Object.freeze({
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: id,
    title,
    ...withoutDefaulted(withSchemaField(JSON.parse(JSON.stringify(schema)) as JsonObject)),
  });
}

/** Where an editor finds the schema is the editor's business. */
export function withoutSchemaField(json: unknown): unknown {
  if (typeof json !== "object" || json === null || !("$schema" in json)) return json;
  const { $schema: _, ...rest } = json;
  return rest;
}

function withSchemaField(schema: JsonObject): JsonObject {
  return {
    ...schema,
    properties: { $schema: { type: "string" }, ...(schema["properties"] as JsonObject) },
  };
}

/** Takes what has a default off every list of required properties. */
function withoutDefaulted(schema: JsonObject): JsonObject {
  const entries = Object.entries(schema).map(([key, value]): readonly [string, SchemaJson] => {
    if (key !== "required" || !Array.isArray(value)) return [key, relaxed(value)];
    const properties = schema["properties"] as { readonly [name: string]: JsonObject };
    return [key, value.filter((name) => !Object.hasOwn(properties[String(name)]!, "default"))];
  });
  return Object.fromEntries(
    entries.filter(([key, value]) => key !== "required" || (value as SchemaJson[]).length > 0),
  );
}

function relaxed(value: SchemaJson): SchemaJson {
  if (Array.isArray(value)) return value.map(relaxed);
  return typeof value === "object" && value !== null ? withoutDefaulted(value as JsonObject) : value;
}
