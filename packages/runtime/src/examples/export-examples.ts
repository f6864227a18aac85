import type { LabelValues } from "@tributary/engine/batches";
import type { GraphPort } from "@tributary/protocol";
import { allocate, elementCount, tensor, writeSafetensors, type Tensor } from "@tributary/tensor";
import type { StoredExample } from "../store/device-store.ts";

/**
 * All examples as one safetensors file, which `tributary-agent --examples` and Python read: a tensor [N, ...] for each input under its
 * name, and `labels`, or `labels.<output>` where labels are of several outputs. Bytes stay bytes (value / 255) where all of an
 * input's are; classes are int32 [N], -1 where an example has none; numbers float32 [N, size], NaN where an example has fewer.
 *
 * @returns undefined where there are none: a file of no rows says nothing
 */
export function exportExamples(
  inputs: readonly GraphPort[],
  examples: readonly StoredExample[],
): Uint8Array<ArrayBuffer> | undefined {
  if (examples.length === 0) return undefined;
  const tensors = inputs.map((port, at): [string, Tensor] => [port.name, inputColumn(port, at, examples)]);
  const names = [...new Set(examples.flatMap(({ label }) => Object.keys(named(label))))];
  for (const name of names) {
    tensors.push([
      name === "" ? "labels" : `labels.${name}`,
      labelColumn(examples.map(({ label }) => named(label)[name])),
    ]);
  }
  return writeSafetensors(tensors);
}

function inputColumn({ dtype, shape }: GraphPort, at: number, examples: readonly StoredExample[]): Tensor {
  const row = shape.slice(1);
  const size = elementCount(row);
  const rows = examples.map(({ inputs }) => inputs[at]!);
  const isFloat = dtype === "float32" || dtype === "float64";
  const asBytes = isFloat && rows.every((values) => values instanceof Uint8Array);
  const type = asBytes ? "uint8" : dtype;
  const data = allocate(type, rows.length * size);
  for (const [index, values] of rows.entries()) {
    const shares = isFloat && !asBytes && values instanceof Uint8Array;
    (data as Float32Array).set(
      (shares ? Float64Array.from(values, (value) => value / 255) : values) as Float32Array,
      index * size,
    );
  }
  return tensor(type, [rows.length, ...row], data);
}

function named(label: StoredExample["label"]): Readonly<Record<string, LabelValues>> {
  return typeof label === "number" || label instanceof Float32Array ? { "": label } : label;
}

function labelColumn(values: readonly (LabelValues | undefined)[]): Tensor {
  const rows = values.length;
  if (values.every((value) => value === undefined || typeof value === "number")) {
    return tensor(
      "int32",
      [rows],
      Int32Array.from(values, (value) => value ?? -1),
    );
  }
  const size = Math.max(...values.map((value) => (value instanceof Float32Array ? value.length : 1)));
  const data = new Float32Array(rows * size).fill(Number.NaN);
  for (const [row, value] of values.entries()) {
    if (value !== undefined) data.set(typeof value === "number" ? [value] : value, row * size);
  }
  return tensor("float32", [rows, size], data);
}
