import type { ExampleTable } from "@tributary/engine/examples";

/** A data set as it was read: examples to learn from, and examples to measure on. */
export interface DataSet {
  readonly train: SourceTable;
  readonly heldOut: ExampleTable | undefined;
}

/** Examples, and what else is known of them. */
export interface SourceTable {
  readonly table: ExampleTable;
  /** Of each row, the number of its value in the column that was asked for; values are numbered as they come. */
  readonly groups?: { readonly of: Uint32Array; readonly count: number };
}

/** Most rows and values of one file: what fits into memory on the machines that simulate. */
export const MAX_ROWS = 50_000_000;
export const MAX_VALUES = 2 ** 30;
/** Most bytes of one file. */
export const MAX_FILE_BYTES = 4 * 2 ** 30;
