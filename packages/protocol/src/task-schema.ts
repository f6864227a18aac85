import { TaskSpec } from "./documents.ts";

/** Names the form of task documents; another `formatVersion` gets another. */
export const TASK_SCHEMA_ID = "urn:tributary:schema:task:1";

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * The JSON Schema (draft 2020-12) of a task document as an operator writes it: what has a default may be left out, and
 * `$schema` may say where an editor finds this. What no schema says (a cohort above its minimum, a strategy's own
 * parameters) is checked when the document is read.
 */
export const TASK_SCHEMA: { readonly [key: string]: Json } = Object.freeze({
  $schema: "https://json-schema.org/draft/2020-12/schema",
  $id: TASK_SCHEMA_ID,
  title: "Tributary task",
  ...withoutDefaulted(withSchemaField(JSON.parse(JSON.stringify(TaskSpec)) as JsonObject)),
});

type JsonObject = { readonly [key: string]: Json };

function withSchemaField(schema: JsonObject): JsonObject {
  return {
    ...schema,
    properties: { $schema: { type: "string" }, ...(schema["properties"] as JsonObject) },
  };
}

/** Takes what has a default off every list of required properties. */
function withoutDefaulted(schema: JsonObject): JsonObject {
  const entries = Object.entries(schema).map(([key, value]): readonly [string, Json] => {
    if (key !== "required" || !Array.isArray(value)) return [key, relaxed(value)];
    const properties = schema["properties"] as { readonly [name: string]: JsonObject };
    return [key, value.filter((name) => !Object.hasOwn(properties[String(name)]!, "default"))];
  });
  return Object.fromEntries(
    entries.filter(([key, value]) => key !== "required" || (value as Json[]).length > 0),
  );
}

function relaxed(value: Json): Json {
  if (Array.isArray(value)) return value.map(relaxed);
  return typeof value === "object" && value !== null ? withoutDefaulted(value as JsonObject) : value;
}
