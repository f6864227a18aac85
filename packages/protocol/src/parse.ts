import type { Static, TSchema } from "typebox";
import { Check, Clone, Default, Errors } from "typebox/value";
import { invalidDocument } from "./json.ts";

/**
 * Checks a JSON value against a schema; interprets it, so that pages under a strict CSP can (no `eval`).
 *
 * @throws protocol/invalid-document, naming the deepest fault as a JSON pointer.
 */
export function parseDocument<Schema extends TSchema>(
  what: string,
  schema: Schema,
  value: unknown,
  options: { defaults?: boolean } = {},
): Static<Schema> {
  const candidate = options.defaults === true ? Default(schema, Clone(value)) : value;
  if (Check(schema, candidate)) return candidate as Static<Schema>;
  let path = "";
  let message = "does not match its schema";
  let depth = -1;
  for (const error of Errors(schema, candidate)) {
    // A refused unknown property is reported twice; the parent's report names it.
    if (error.keyword === "boolean") continue;
    const errorDepth = error.instancePath.split("/").length;
    if (errorDepth <= depth) continue;
    depth = errorDepth;
    path = error.instancePath;
    message =
      error.keyword === "additionalProperties"
        ? `has unknown properties: ${error.params.additionalProperties.join(", ")}`
        : error.keyword === "required"
          ? `lacks ${error.params.requiredProperties.join(", ")}`
          : error.keyword === "enum"
            ? `must be one of ${error.params.allowedValues.join(", ")}`
            : error.keyword === "const"
              ? `must be ${JSON.stringify(error.params.allowedValue)}`
              : error.message;
  }
  throw invalidDocument(what, path, message);
}
