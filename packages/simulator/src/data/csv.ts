import path from "node:path";
import { Readable } from "node:stream";
import { failure } from "@tributary/core";
import { CsvError, parse } from "csv-parse";
import { rowSize, TableBuilder, type TableShape } from "./columns.ts";
import type { SourceTable } from "./data-set.ts";
import { readSource } from "./read-source.ts";

export interface TextTableOptions {
  readonly shape: TableShape;
  /** Column of the label, or the first of several: `y` or `y.0`, `y.1`, ... */
  readonly label: string;
  /** Column that tells clients apart. */
  readonly group?: string | undefined;
}

/** Longest line, so that a file without line ends is no memory's end. */
const MAX_LINE_BYTES = 16 * 2 ** 20;

/**
 * Reads a CSV file with a header line. A model of one input takes all columns but label and group, in their order; one of
 * several takes the columns called as the input, or `input.0`, `input.1`, ...
 *
 * @throws `dataset/*` naming row and column
 */
export async function readCsv(file: string, options: TextTableOptions): Promise<SourceTable> {
  const name = path.basename(file);
  const { shape, group } = options;
  const builder = new TableBuilder(name, shape, group);
  const parser = Readable.from(readSource(file)).pipe(
    parse({ bom: true, skip_empty_lines: true, trim: true, max_record_size: MAX_LINE_BYTES }),
  );
  let columns: ChosenColumns | undefined;
  let row = 0;
  try {
    for await (const record of parser as AsyncIterable<string[]>) {
      row += 1;
      if (columns === undefined) {
        columns = chooseColumns(name, record, options);
        continue;
      }
      const numbers = (places: readonly number[]): number[] =>
        places.map((place) => numberIn(name, row, columns!.names[place]!, record[place]!));
      builder.add(row, {
        inputs: columns.inputs.map(numbers),
        label: numbers(columns.label),
        ...(columns.group === undefined ? {} : { group: record[columns.group]! }),
      });
    }
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    const code = cause.code === "CSV_MAX_RECORD_SIZE" ? "dataset/too-large" : "dataset/invalid";
    throw failure(code, `${name}, row ${row + 1}: ${cause.message}`, {
      cause,
      detail: { file: name, row: row + 1 },
    });
  }
  return builder.finish();
}

/** Places in a record. */
interface ChosenColumns {
  readonly names: readonly string[];
  readonly inputs: readonly (readonly number[])[];
  readonly label: readonly number[];
  readonly group: number | undefined;
}

function chooseColumns(
  file: string,
  names: readonly string[],
  { shape, label, group }: TextTableOptions,
): ChosenColumns {
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw failure("dataset/invalid", `${file}: there are two columns "${twice}"`, {
      detail: { file, column: twice },
    });
  }
  const labelPlaces = placesOf(names, label);
  if (labelPlaces.length === 0) throw missing(file, names, label);
  const groupPlace = group === undefined ? undefined : names.indexOf(group);
  if (groupPlace === -1) throw missing(file, names, group!);
  const taken = new Set([...labelPlaces, ...(groupPlace === undefined ? [] : [groupPlace])]);
  const [only, ...others] = shape.inputs;
  const rest = names.flatMap((_, place) => (taken.has(place) ? [] : [place]));
  const inputs =
    others.length === 0
      ? [rest]
      : shape.inputs.map((input) => {
          const places = placesOf(names, input.name);
          if (places.length === 0) throw missing(file, names, input.name);
          return places;
        });
  if (others.length === 0 && rest.length !== rowSize(only!)) {
    throw failure(
      "dataset/mismatch",
      `${file}: ${rest.length} columns besides "${label}"${group === undefined ? "" : ` and "${group}"`}, the model's "${only!.name}" takes ${rowSize(only!)}`,
      { detail: { file, expected: rowSize(only!), got: rest.length } },
    );
  }
  return { names, inputs, label: labelPlaces, group: groupPlace };
}

/** Of `name`, or of `name.0`, `name.1` and so on. */
function placesOf(names: readonly string[], name: string): readonly number[] {
  const own = names.indexOf(name);
  if (own >= 0) return [own];
  const places: number[] = [];
  for (let i = 0; ; i++) {
    const place = names.indexOf(`${name}.${i}`);
    if (place < 0) return places;
    places.push(place);
  }
}

function numberIn(file: string, row: number, column: string, text: string): number {
  const value = Number(text);
  if (text !== "" && Number.isFinite(value)) return value;
  throw failure(
    "dataset/invalid",
    `${file}, row ${row}, column "${column}": a number expected, got "${text.slice(0, 40)}"`,
    { detail: { file, row, column } },
  );
}

function missing(file: string, names: readonly string[], wanted: string): Error {
  const some = names.slice(0, 12).join(", ");
  return failure(
    "dataset/mismatch",
    `${file}: no column "${wanted}"; the header line has ${names.length}: ${some}${names.length > 12 ? ", ..." : ""}`,
    { detail: { file, column: wanted } },
  );
}
