import type { ExampleTable } from "@tributary/engine/examples";
import type { TensorData } from "@tributary/tensor";

/** The same table in memory that threads share: a data set is there once, however many threads train. */
export function sharedTable(table: ExampleTable): ExampleTable {
  return {
    count: table.count,
    inputs: new Map(
      Array.from(table.inputs, ([name, input]) => [name, { ...input, data: shared(input.data) }]),
    ),
    labels: new Map(
      Array.from(table.labels, ([name, { values, size }]) => [name, { values: shared(values), size }]),
    ),
  };
}

/** A copy of weights that threads read. */
export function sharedValues(values: Float32Array): Float32Array {
  return shared(values);
}

function shared<Data extends TensorData>(data: Data): Data {
  const constructor = data.constructor as new (buffer: SharedArrayBuffer) => Data & {
    set(values: Data): void;
  };
  const copy = new constructor(new SharedArrayBuffer(data.byteLength));
  copy.set(data);
  return copy;
}
