import { failure } from "@tributary/core";

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

/** The error of a document that does not say what it must. */
export function invalidDocument(what: string, path: string, message: string): Error {
  return failure("protocol/invalid-document", `protocol: ${what} at ${path || "/"} ${message}`, {
    detail: { document: what, path: path || "/", problem: message.slice(0, 200) },
  });
}
