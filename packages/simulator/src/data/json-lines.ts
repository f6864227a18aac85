import path from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { failure } from "@tributary/core";
import { TableBuilder } from "./columns.ts";
import type { TextTableOptions } from "./csv.ts";
import type { SourceTable } from "./data-set.ts";
import { readSource } from "./read-source.ts";

/** Longest line. */
const MAX_LINE_LENGTH = 16 * 2 ** 20;
/** Deepest nesting of an input's values. */
const MAX_DEPTH = 8;

/**
 * Reads JSON Lines: an object a line, with a field for each input of the model (a number, or nested lists of numbers)
 * and one for the label.
 *
 * @throws `dataset/*` naming row and field
 */
export async function readJsonLines(file: string, options: TextTableOptions): Promise<SourceTable> {
  const name = path.basename(file);
  const { shape, label, group } = options;
  const builder = new TableBuilder(name, shape, group);
  let row = 0;
  for await (const line of createInterface({
    input: Readable.from(boundedLines(file, name)),
    crlfDelay: Infinity,
  })) {
    row += 1;
    if (line.trim() === "") continue;
    const record = parseLine(name, row, line);
    const numbers = (field: string): number[] => {
      if (!Object.hasOwn(record, field)) {
        throw failure(
          "dataset/mismatch",
          `${name}, row ${row}: no field "${field}"; it has ${Object.keys(record).slice(0, 12).join(", ")}`,
          { detail: { file: name, row, column: field } },
        );
      }
      const values: number[] = [];
      flatten(record[field], { file: name, row, field }, values, 0);
      return values;
    };
    builder.add(row, {
      inputs: shape.inputs.map((input) => numbers(input.name)),
      label: numbers(label),
      ...(group === undefined ? {} : { group: groupOf(record[group], { file: name, row, field: group }) }),
    });
  }
  return builder.finish();
}

interface Place {
  readonly file: string;
  readonly row: number;
  readonly field: string;
}

function parseLine(file: string, row: number, line: string): Record<string, unknown> {
  try {
    const value = JSON.parse(line) as unknown;
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch (cause) {
    throw failure("dataset/invalid", `${file}, row ${row}: ${(cause as Error).message}`, {
      cause,
      detail: { file, row },
    });
  }
  throw failure("dataset/invalid", `${file}, row ${row}: an object expected`, { detail: { file, row } });
}

function flatten(value: unknown, place: Place, into: number[], depth: number): void {
  if (typeof value === "number" && Number.isFinite(value)) {
    into.push(value);
    return;
  }
  if (Array.isArray(value) && depth < MAX_DEPTH) {
    for (const item of value) flatten(item, place, into, depth + 1);
    return;
  }
  const got = Array.isArray(value) ? `lists in more than ${MAX_DEPTH} lists` : JSON.stringify(value);
  throw wrong(place, "numbers, or lists of numbers", got);
}

function groupOf(value: unknown, place: Place): string {
  if (typeof value === "string" || typeof value === "number") return String(value);
  throw wrong(place, "a text or a number", JSON.stringify(value) ?? "nothing");
}

function wrong({ file, row, field }: Place, expected: string, got: string): Error {
  return failure(
    "dataset/invalid",
    `${file}, row ${row}, field "${field}": ${expected} expected, got ${got.slice(0, 40)}`,
    { detail: { file, row, column: field } },
  );
}

/** The file's bytes, as long as no line grows without end. */
async function* boundedLines(file: string, name: string): AsyncGenerator<Buffer> {
  let since = 0;
  for await (const chunk of readSource(file)) {
    const last = chunk.lastIndexOf(10);
    since = last < 0 ? since + chunk.length : chunk.length - last;
    if (since > MAX_LINE_LENGTH) {
      throw failure("dataset/too-large", `${name}: a line of more than ${MAX_LINE_LENGTH} bytes`, {
        detail: { file: name },
      });
    }
    yield chunk;
  }
}
