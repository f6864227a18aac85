import addFormats from "ajv-formats";
import { Ajv, type Options } from "ajv";
import type { FastifySchemaCompiler } from "fastify";

const COMMON: Options = { strict: false, useDefaults: true, allErrors: false };

/**
 * Checks requests against their schemas. What stands in a path, a query or a header is text and is read as what its schema says; what
 * stands in a body is what it is: a number is no text there.
 */
export function createValidatorCompiler(): FastifySchemaCompiler<object> {
  const ofText = new Ajv({ ...COMMON, coerceTypes: "array" });
  const ofBodies = new Ajv(COMMON);
  addFormats.default(ofText);
  addFormats.default(ofBodies);
  return ({ schema, httpPart }) => (httpPart === "body" ? ofBodies : ofText).compile(schema);
}
