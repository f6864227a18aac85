import { open } from "node:fs/promises";
import { decodeUtf8, encodeUtf8, failure } from "@tributary/core";
import {
  AuditFileHeader,
  canonicalText,
  parseDocument,
  parseJson,
  type JsonDocument,
} from "@tributary/protocol";
import type { FetchMetadata } from "../log/signed-timestamp.ts";

// An exported log: a line that says what it is, with the signed metadata, then a line for each record in canonical JSON.

const MAX_HEADER_BYTES = 64_000_000;

export interface AuditFile {
  readonly header: AuditFileHeader;
  /** Line by line; a line that is no canonical JSON is given as text. */
  readonly records: AsyncIterable<unknown>;
}

/** @returns how many records were written. @throws `cli/file` */
export async function writeAuditFile(
  path: string,
  header: Pick<AuditFileHeader, "exportedAt" | "coordinator" | "metadata">,
  records: AsyncIterable<unknown>,
): Promise<number> {
  const first: AuditFileHeader = { format: "tributary-audit-log", formatVersion: 1, ...header };
  const file = await open(path, "wx").catch((cause: unknown) => {
    throw unusable(path, cause);
  });
  let count = 0;
  try {
    await file.write(`${JSON.stringify(first)}\n`);
    for await (const record of records) {
      await file.write(`${canonicalText(record as JsonDocument)}\n`);
      count += 1;
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return count;
}

/** @throws `cli/file`, `protocol/invalid-document` */
export async function readAuditFile(path: string): Promise<AuditFile> {
  const file = await open(path).catch((cause: unknown) => {
    throw unusable(path, cause);
  });
  const lines = file.readLines()[Symbol.asyncIterator]();
  const first = await lines.next();
  const header = parseDocument(
    "exported audit log",
    AuditFileHeader,
    parseJson("exported audit log", encodeUtf8(first.done === true ? "" : first.value), MAX_HEADER_BYTES),
  );
  return { header, records: recordsOf({ [Symbol.asyncIterator]: () => lines }) };
}

async function* recordsOf(lines: AsyncIterable<string>): AsyncGenerator<unknown> {
  for await (const line of lines) yield recordIn(line);
}

/** A record has one form, so that nobody reads another in it. */
function recordIn(line: string): unknown {
  try {
    const value = JSON.parse(line) as JsonDocument;
    return canonicalText(value) === line ? value : line;
  } catch {
    return line;
  }
}

/** Metadata as it was exported. */
export function metadataIn({ metadata }: AuditFileHeader): FetchMetadata {
  return (fileName) =>
    Promise.resolve(Object.hasOwn(metadata, fileName) ? encodeUtf8(metadata[fileName]!) : undefined);
}

/** Notes what is fetched. */
export function noting(fetch: FetchMetadata, noted: Record<string, string>): FetchMetadata {
  return async (fileName, maxBytes) => {
    const bytes = await fetch(fileName, maxBytes);
    if (bytes !== undefined) noted[fileName] = decodeUtf8(bytes);
    return bytes;
  };
}

function unusable(file: string, cause: unknown): Error {
  const { message } = cause as Error;
  return failure("cli/file", `${file} cannot be used: ${message}`, { cause, detail: { file } });
}
