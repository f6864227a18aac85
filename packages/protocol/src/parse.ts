import { failure } from "@tributary/core";
import type { Static, TSchema } from "typebox";
import { Check, Clone, Default, Errors } from "typebox/value";

/**
 * Bounded JSON: the length is checked before anything is read.
 *
 * @param what names the document in errors
 * @throws protocol/invalid-document
 */
export function parseJson(what: string, bytes: Uint8Array, maxBytes: number): unknown {
  if (bytes.length > maxBytes) {
    throw failure(
      "protocol/invalid-document",
      `protocol: a ${what} has at most ${maxBytes} bytes, got ${bytes.length}`,
      { detail: { document: what, sizeBytes: bytes.length, maxBytes } },
    );
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as unknown;
  } catch (cause) {
    throw failure("protocol/invalid-document", `protocol: the ${what} is not JSON in UTF-8`, {
      detail: { document: what, path: "" },
      cause,
    });
  }
}

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

/** The error of a document that does not say what it must. */
export function invalidDocument(what: string, path: string, message: string): Error {
  return failure("protocol/invalid-document", `protocol: ${what} at ${path || "/"} ${message}`, {
    detail: { document: what, path: path || "/", problem: message.slice(0, 200) },
  });
}
