import addFormats from "ajv-formats";
import { Ajv, type Options, type ValidateFunction } from "ajv";
import type { FastifySchemaCompiler } from "fastify";
import type { FastifyValidationResult } from "fastify/types/schema.js";

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
  return ({ schema, httpPart }) => {
    const ajv = httpPart === "body" ? ofBodies : ofText;
    let compiled: ValidateFunction | undefined;
    // Compiling all of them takes a twentieth of a coordinator's start, and most are of routes that few call.
    const validate: FastifyValidationResult = (value: unknown) => {
      compiled ??= ajv.compile(schema);
      const isValid = compiled(value);
      // Where Fastify looks for them.
      validate.errors = compiled.errors ?? null;
      return isValid;
    };
    return validate;
  };
}
