/** Labelled examples as a file has them: one tensor for each input, and what is to be learned. */
import { failure } from "@tributary/core";
import { elementCount, readSafetensors, tensor, type Tensor, type TensorData } from "@tributary/tensor";
import type { ExampleLabel, LabelledValues, LabelValues } from "./batches.ts";

/** Columns of `count` rows. */
export interface ExampleTable {
  readonly count: number;
  /** By the input's name, [count, …]. */
  readonly inputs: ReadonlyMap<string, Tensor>;
  /** By the output's name, or under "" the only label. */
  readonly labels: ReadonlyMap<string, LabelColumn>;
}

/** Classes, one a row, or numbers, `size` a row. */
export interface LabelColumn {
  readonly values: Int32Array | Float32Array;
  readonly size: number;
}

/** Stands for the only input of a model, whatever its name. */
export const ONLY_INPUT = "images";
const LABELS = "labels";

/**
 * Reads a safetensors file: a tensor [N, …] for each input of the model under its name (`images` for that of a model with
 * one), and `labels`: classes as int32 or int64 [N], or numbers as float32, or as any other type [N, …]. Where a model
 * learns several outputs, `labels.<output>` for each.
 *
 * @throws `dataset/invalid`, `dataset/mismatch`, `safetensors/*`
 */
export function readExampleTable(bytes: Uint8Array): ExampleTable {
  return exampleTable(readSafetensors(bytes).tensors);
}

/** The tensors of {@link readExampleTable}, however they came. Errors likewise. */
export function exampleTable(tensors: Iterable<readonly [string, Tensor]>): ExampleTable {
  const inputs = new Map<string, Tensor>();
  const labels = new Map<string, LabelColumn>();
  const counts = new Map<string, number>();
  for (const [name, value] of tensors) {
    counts.set(name, value.shape[0] ?? 0);
    if (name === LABELS) labels.set("", labelColumn(name, value));
    else if (name.startsWith(`${LABELS}.`))
      labels.set(name.slice(LABELS.length + 1), labelColumn(name, value));
    else inputs.set(name, value.dtype === "bool" ? truthValues(value) : value);
  }
  const names = [...counts.keys()].join(", ") || "nothing";
  if (labels.size === 0 || inputs.size === 0) {
    throw failure(
      "dataset/invalid",
      `dataset: a tensor for each input (or "${ONLY_INPUT}") and "${LABELS}" or "${LABELS}.<output>" expected, got ${names}`,
      { detail: { got: names.slice(0, 200) } },
    );
  }
  if (labels.size > 1 && labels.has("")) {
    throw failure("dataset/invalid", `dataset: either "${LABELS}" or "${LABELS}.<output>", got ${names}`, {
      detail: { got: names.slice(0, 200) },
    });
  }
  const [count] = counts.values();
  if (count === undefined || count === 0 || [...counts.values()].some((each) => each !== count)) {
    const rows = [...counts].map(([name, each]) => `${name} ${each}`).join(", ");
    throw failure("dataset/mismatch", `dataset: as many rows of each expected, at least one; got ${rows}`, {
      detail: { got: rows.slice(0, 200) },
    });
  }
  return { count, inputs, labels };
}

/** Truth values are numbers, 0 and 1; bytes would be shares of 255. */
function truthValues({ shape, data }: Tensor): Tensor {
  return tensor("int8", shape, new Int8Array(data.buffer as ArrayBuffer, data.byteOffset, data.length));
}

function labelColumn(name: string, { dtype, shape, data }: Tensor): LabelColumn {
  const isList = shape.length === 1;
  const size = elementCount(shape.slice(1));
  if (dtype === "float32" && shape.length > 0) return { values: data as Float32Array, size };
  if (dtype !== "float16" && dtype !== "float64" && shape.length > 0) {
    if (!isList) return { values: Float32Array.from(data as ArrayLike<number | bigint>, Number), size };
    const values = Int32Array.from(data as ArrayLike<number | bigint>, Number);
    const wrong = values.findIndex((value, i) => value !== Number(data[i]));
    if (wrong < 0) return { values, size: 1 };
    throw failure("dataset/invalid", `dataset: class ${data[wrong]} of "${name}" is out of range`);
  }
  throw failure(
    "dataset/invalid",
    `dataset: "${name}": int32 or int64 [N] classes, or float32 [N, …] numbers expected, got ${dtype} [${shape.join()}]`,
    { detail: { tensor: name, got: dtype } },
  );
}

/**
 * The columns of a model's inputs, in their order.
 *
 * @throws `dataset/mismatch` for an input without one
 */
export function inputColumns(table: ExampleTable, names: readonly string[]): readonly Tensor[] {
  return names.map((name) => {
    const own = table.inputs.get(name) ?? (names.length === 1 ? table.inputs.get(ONLY_INPUT) : undefined);
    if (own !== undefined) return own;
    const has = [...table.inputs.keys()].join(", ");
    throw failure(
      "dataset/mismatch",
      `dataset: no tensor "${name}", which is an input of the model; it has ${has}`,
      { detail: { input: name, got: has.slice(0, 200) } },
    );
  });
}

/** Row `index` of these columns and the table's labels, as views. */
export function exampleOf(table: ExampleTable, columns: readonly Tensor[], index: number): LabelledValues {
  return {
    inputs: columns.map(({ data }) => {
      const size = data.length / table.count;
      return data.subarray(index * size, (index + 1) * size) as TensorData;
    }),
    label: labelOf(table.labels, index),
  };
}

function labelOf(labels: ExampleTable["labels"], index: number): ExampleLabel {
  const valuesOf = ({ values, size }: LabelColumn): LabelValues =>
    values instanceof Int32Array ? values[index]! : values.subarray(index * size, (index + 1) * size);
  const only = labels.get("");
  if (only !== undefined) return valuesOf(only);
  return Object.fromEntries(Array.from(labels, ([name, column]) => [name, valuesOf(column)] as const));
}
