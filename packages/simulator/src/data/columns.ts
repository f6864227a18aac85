import { failure } from "@tributary/core";
import { exampleTable } from "@tributary/engine/examples";
import type { GraphPort } from "@tributary/protocol";
import { allocate, elementCount, tensor, type Tensor, type TensorData } from "@tributary/tensor";
import { MAX_ROWS, MAX_VALUES, type SourceTable } from "./data-set.ts";

/** What a model reads and learns, as far as a table of numbers has to know. */
export interface TableShape {
  readonly inputs: readonly GraphPort[];
  /** Whether labels are classes; else numbers. */
  readonly classes: boolean;
  /** Numbers of one label. */
  readonly labelSize: number;
}

/** A growing column of numbers. */
export interface NumberColumn {
  push(value: number): void;
  readonly length: number;
  take(): Float64Array;
}

export function numberColumn(): NumberColumn {
  let values = new Float64Array(1024);
  let length = 0;
  return {
    push(value) {
      if (length === values.length) {
        const larger = new Float64Array(2 * length);
        larger.set(values);
        values = larger;
      }
      values[length++] = value;
    },
    get length() {
      return length;
    },
    take: () => values.subarray(0, length),
  };
}

/** Gathers the rows of a text file, and refuses what would not fit into memory. */
export class TableBuilder {
  readonly #file: string;
  readonly #shape: TableShape;
  readonly #inputs: readonly NumberColumn[];
  readonly #labels = numberColumn();
  readonly #groups = new Map<string, number>();
  readonly #groupOf: number[] = [];
  readonly #groupColumn: string | undefined;
  readonly #rowValues: number;
  #rows = 0;

  constructor(file: string, shape: TableShape, groupColumn: string | undefined) {
    this.#file = file;
    this.#shape = shape;
    this.#groupColumn = groupColumn;
    this.#inputs = shape.inputs.map(() => numberColumn());
    this.#rowValues = shape.inputs.reduce((sum, port) => sum + rowSize(port), 0);
  }

  /** @param row of the file, from 1, for errors */
  add(
    row: number,
    values: {
      readonly inputs: readonly ArrayLike<number>[];
      readonly label: ArrayLike<number>;
      readonly group?: string;
    },
  ): void {
    this.#rows += 1;
    if (this.#rows > MAX_ROWS || this.#rows * this.#rowValues > MAX_VALUES) {
      throw failure(
        "dataset/too-large",
        `${this.#file}: more than ${MAX_ROWS} rows or ${MAX_VALUES} values`,
        { detail: { file: this.#file, row } },
      );
    }
    for (const [i, port] of this.#shape.inputs.entries()) {
      const own = values.inputs[i]!;
      const wanted = rowSize(port);
      if (own.length !== wanted) {
        throw failure(
          "dataset/mismatch",
          `${this.#file}, row ${row}: ${own.length} values for "${port.name}", the model takes ${wanted}`,
          { detail: { file: this.#file, row, input: port.name, expected: wanted, got: own.length } },
        );
      }
      for (let k = 0; k < own.length; k++) this.#inputs[i]!.push(own[k]!);
    }
    this.#addLabel(row, values.label);
    if (this.#groupColumn === undefined) return;
    const { group = "" } = values;
    let number = this.#groups.get(group);
    if (number === undefined) this.#groups.set(group, (number = this.#groups.size));
    this.#groupOf.push(number);
  }

  #addLabel(row: number, label: ArrayLike<number>): void {
    const { classes, labelSize } = this.#shape;
    const wanted = classes ? 1 : labelSize;
    if (label.length !== wanted) {
      throw failure(
        "dataset/mismatch",
        `${this.#file}, row ${row}: a label of ${label.length} numbers, the task learns ${wanted}`,
        { detail: { file: this.#file, row, expected: wanted, got: label.length } },
      );
    }
    for (let k = 0; k < label.length; k++) {
      const value = label[k]!;
      if (classes && !(Number.isInteger(value) && value >= 0 && value < 2 ** 31)) {
        throw failure(
          "dataset/invalid",
          `${this.#file}, row ${row}: a class expected as label, a whole number from 0, got ${value}`,
          { detail: { file: this.#file, row, got: value } },
        );
      }
      this.#labels.push(value);
    }
  }

  /** @throws `dataset/invalid` when there are no rows */
  finish(): SourceTable {
    const { inputs, classes, labelSize } = this.#shape;
    const count = this.#rows;
    if (count === 0) {
      throw failure("dataset/invalid", `${this.#file}: there are no rows`, { detail: { file: this.#file } });
    }
    const labels = this.#labels.take();
    const tensors: (readonly [string, Tensor])[] = inputs.map((port, i) => [
      port.name,
      tensor(port.dtype, [count, ...sizesOf(port)], converted(port.dtype, this.#inputs[i]!.take())),
    ]);
    tensors.push([
      "labels",
      classes
        ? tensor("int32", [count], Int32Array.from(labels))
        : tensor("float32", [count, labelSize], Float32Array.from(labels)),
    ]);
    return {
      table: exampleTable(tensors),
      ...(this.#groupColumn === undefined
        ? {}
        : { groups: { of: Uint32Array.from(this.#groupOf), count: this.#groups.size } }),
    };
  }
}

/** Values that one example has of an input. */
export function rowSize(port: GraphPort): number {
  return elementCount(sizesOf(port));
}

function sizesOf({ name, shape }: GraphPort): readonly number[] {
  const sizes = shape.slice(1);
  if (shape.length > 0 && sizes.every((size) => size >= 0)) return sizes;
  throw failure(
    "dataset/mismatch",
    `dataset: input "${name}" of the model has the shape [${shape.join()}]; only the first dimension, the batch, may be free here`,
    { detail: { input: name } },
  );
}

function converted(dtype: GraphPort["dtype"], values: Float64Array): TensorData {
  const data = allocate(dtype, values.length);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    for (let i = 0; i < values.length; i++) data[i] = BigInt(Math.trunc(values[i]!));
  } else data.set(values);
  return data;
}
