import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { failure, seededRandom, type SeededRandom } from "@tributary/core";
import { exampleTable, type ExampleTable } from "@tributary/engine/examples";
import { tensor, type Tensor, type TensorData } from "@tributary/tensor";
import { heldOutDigits } from "../digits/digits.ts";
import { IMAGE_SIDE } from "../digits/pen.ts";
import { readIdxFolder, type IdxSplit } from "../idx/read-idx-folder.ts";
import { rowsInRandomOrder } from "../partitions/piles.ts";
import type { TableShape } from "./columns.ts";
import { readCsv } from "./csv.ts";
import type { DataSet, SourceTable } from "./data-set.ts";
import { readJsonLines } from "./json-lines.ts";
import { readSafetensorsTable } from "./safetensors-table.ts";

export interface OpenDataSetOptions {
  readonly shape: TableShape;
  /** Column of the label in CSV and JSON Lines. @defaultValue "label" */
  readonly label?: string | undefined;
  /** Column that tells clients apart. */
  readonly group?: string | undefined;
  /** Share of a single file that is held out to measure on, 0 to 0.9. @defaultValue 0.1 */
  readonly heldOutShare?: number | undefined;
  readonly seed: string;
}

/** Files of a folder: what is learned from, and what is measured on. */
const TRAIN = ["train", "training"];
const TEST = ["test", "held-out", "validation"];
const FORMATS = [".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".safetensors"] as const;

/**
 * Opens a data set: a folder of MNIST's four IDX files; a folder with `train` and `test` as `.csv`, `.jsonl` (each perhaps with
 * `.gz`) or `.safetensors`; or one such file, of which a part is held out. Nothing is downloaded.
 *
 * @throws `dataset/*`, `safetensors/*` naming file, row and column
 */
export async function openDataSet(source: string, options: OpenDataSetOptions): Promise<DataSet> {
  const found = await stat(source).catch(() => undefined);
  if (found === undefined) {
    throw failure("dataset/not-found", `${source}: there is no such file or folder`, {
      detail: { file: source },
    });
  }
  if (found.isFile()) {
    const { table, groups } = await readTable(source, options);
    return held(groups === undefined ? { table } : { table, groups }, options);
  }
  const names = await readdir(source);
  const train = chosen(names, TRAIN);
  const test = chosen(names, TEST);
  if (train !== undefined) {
    const own = await readTable(path.join(source, train), options);
    if (test === undefined) return held(own, options);
    const { table } = await readTable(path.join(source, test), { ...options, group: undefined });
    return { train: own, heldOut: table };
  }
  if (names.some((name) => name.startsWith("train-images-idx3-ubyte"))) {
    const { train: images, test: unseen } = await readIdxFolder(source);
    return { train: { table: imageTable(images) }, heldOut: imageTable(unseen) };
  }
  throw failure(
    "dataset/not-found",
    `${source}: neither MNIST's four IDX files nor train${FORMATS.join(", train")} are there; it has ${names.slice(0, 8).join(", ") || "nothing"}`,
    { detail: { file: source } },
  );
}

/** Examples of people whom no client knows, for the built-in digits. */
export function heldOutDigitsTable(seed: string, count: number): ExampleTable {
  const { images, labels } = heldOutDigits({ seed, count });
  return imageTable({ images, labels, count, rows: IMAGE_SIDE, columns: IMAGE_SIDE });
}

function chosen(names: readonly string[], stems: readonly string[]): string | undefined {
  const wanted = stems.flatMap((stem) => FORMATS.map((format) => `${stem}${format}`));
  return wanted.find((name) => names.includes(name));
}

function readTable(
  file: string,
  { shape, label = "label", group }: OpenDataSetOptions,
): Promise<SourceTable> {
  if (file.endsWith(".safetensors")) return readSafetensorsTable(file, group);
  if (/\.jsonl(\.gz)?$/.test(file)) return readJsonLines(file, { shape, label, group });
  if (/\.csv(\.gz)?$/.test(file)) return readCsv(file, { shape, label, group });
  throw failure(
    "dataset/invalid",
    `${file}: a name that ends in ${FORMATS.join(", ")} expected, or a folder`,
    { detail: { file: path.basename(file) } },
  );
}

function imageTable({ images, labels, count, rows, columns }: IdxSplit): ExampleTable {
  return exampleTable([
    ["images", tensor("uint8", [count, 1, rows, columns], images)],
    ["labels", tensor("int32", [count], Int32Array.from(labels))],
  ]);
}

/** Holds a random part of one table out. */
function held(source: SourceTable, { heldOutShare = 0.1, seed }: OpenDataSetOptions): DataSet {
  const out = Math.floor(source.table.count * heldOutShare);
  if (out === 0) return { train: source, heldOut: undefined };
  const { rest, taken } = takeRows(source, out, seededRandom(seed).fork("simulator/held-out"));
  return { train: rest, heldOut: taken };
}

/**
 * Takes random rows out of a data set: the trusted ones, which then belong to no client.
 *
 * @param count of the rows, at least one
 * @throws `simulator/invalid-options` where no row would be left
 */
export function takeTrusted(
  source: SourceTable,
  count: number,
  seed: string,
): { readonly rest: SourceTable; readonly taken: ExampleTable } {
  if (count < source.table.count)
    return takeRows(source, count, seededRandom(seed).fork("simulator/trusted"));
  throw failure(
    "simulator/invalid-options",
    `simulate: ${count} trusted examples of the data set's ${source.table.count} leave none to learn from`,
    { detail: { option: "trusted", got: count, expected: source.table.count - 1 } },
  );
}

function takeRows(
  { table, groups }: SourceTable,
  count: number,
  random: SeededRandom,
): { readonly rest: SourceTable; readonly taken: ExampleTable } {
  const order = rowsInRandomOrder(table.count, random);
  const left = order.subarray(count).toSorted();
  return {
    rest: {
      table: rowsOf(table, left),
      ...(groups === undefined
        ? {}
        : { groups: { of: Uint32Array.from(left, (row) => groups.of[row]!), count: groups.count } }),
    },
    taken: rowsOf(table, order.subarray(0, count).toSorted()),
  };
}

function rowsOf(table: ExampleTable, rows: Uint32Array): ExampleTable {
  const taken = <Data extends TensorData>(data: Data, size: number): Data => {
    const copy = new (data.constructor as new (
      length: number,
    ) => Data & { set(part: Data, at: number): void })(rows.length * size);
    rows.forEach((row, i) => copy.set(data.subarray(row * size, (row + 1) * size) as Data, i * size));
    return copy;
  };
  return {
    count: rows.length,
    inputs: new Map(
      Array.from(table.inputs, ([name, input]): readonly [string, Tensor] => [
        name,
        {
          ...input,
          shape: [rows.length, ...input.shape.slice(1)],
          data: taken(input.data, input.data.length / table.count),
        },
      ]),
    ),
    labels: new Map(
      Array.from(table.labels, ([name, { values, size }]) => [name, { values: taken(values, size), size }]),
    ),
  };
}
