import { failure, type TributaryError } from "@tributary/core";
import type { FastifySchemaValidationError } from "fastify";

/** Makes a schema refuse fields that it does not name, in every object that does not say otherwise. */
export function strict<Schema>(schema: Schema): Schema {
  return JSON.parse(JSON.stringify(schema), (_key, node: unknown) => {
    if (typeof node !== "object" || node === null || !("properties" in node)) return node;
    if (typeof node.properties !== "object" || "additionalProperties" in node) return node;
    return { ...node, additionalProperties: false };
  }) as Schema;
}

/** The coded error of a field that nobody knows; undefined where a request is refused for something else. */
export function unknownField(
  validation: readonly FastifySchemaValidationError[],
  context: string,
  cause: unknown,
): TributaryError | undefined {
  const [first, second] = validation;
  // Several: alternatives, of which the request fits none.
  if (second !== undefined || first?.keyword !== "additionalProperties") return undefined;
  const { additionalProperty, additionalProperties = [additionalProperty] } = first.params as {
    additionalProperty?: string;
    additionalProperties?: readonly string[];
  };
  const path = `${first.instancePath}/${String(additionalProperties[0]).slice(0, 100)}`;
  return failure("http/unknown-field", `http: no field ${path}`, { detail: { in: context, path }, cause });
}
