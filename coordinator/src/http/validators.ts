import addFormats from "ajv-formats";
import { Ajv, type Options } from "ajv";
import type { FastifySchemaCompiler } from "fastify";

const COMMON: Options = { strict: false, useDefaults: true, allErrors: false };

const standard = createValidatorCompiler();

/**
 * For a route whose handler checks the body itself, because it fills in defaults and names the field that is wrong: everything else of
 * the request is checked as of any route.
 */
export const bodyCheckedByHandler: FastifySchemaCompiler<object> = (part) =>
  part.httpPart === "body" ? () => true : standard(part);

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
