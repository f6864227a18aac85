/** Calls of one model that run as one: their rows are joined before, and the answers taken apart after. */
import type { Feeds, Outputs } from "@tributary/engine";
import type { GraphPort } from "@tributary/protocol";
import { allocate, elementCount, tensor, type Tensor, type TensorData } from "@tributary/tensor";

/** Whether every input and output of a graph begins with a free dimension: the batch, as far as shapes can tell. */
export function hasBatchDimension(inputs: readonly GraphPort[], outputs: readonly GraphPort[]): boolean {
  return [...inputs, ...outputs].every(({ shape }) => shape[0] === -1);
}

/** Rows that all feeds have; undefined where they differ, and so are no batch. */
export function batchRows(feeds: Feeds): number | undefined {
  const rows = new Set(Object.values(feeds).map(({ shape }) => shape[0]));
  const [first] = rows;
  return rows.size === 1 ? first : undefined;
}

/** Whether two calls differ in nothing but their number of rows and the values in them. */
export function areJoinable(a: Feeds, b: Feeds): boolean {
  return Object.entries(a).every(([name, { shape }]) => {
    const other = b[name]?.shape;
    return (
      other !== undefined &&
      other.length === shape.length &&
      shape.every((size, axis) => axis === 0 || size === other[axis])
    );
  });
}

/** The rows of all calls, in their order. */
export function joinFeeds(calls: readonly Feeds[]): Feeds {
  const [first] = calls;
  return Object.fromEntries(
    Object.keys(first ?? {}).map((name) => [name, joinRows(calls.map((feeds) => feeds[name]!))]),
  );
}

function joinRows(parts: readonly Tensor[]): Tensor {
  const { dtype, shape } = parts[0]!;
  const rows = parts.reduce((sum, part) => sum + part.shape[0]!, 0);
  const joined = [rows, ...shape.slice(1)];
  const data = allocate(dtype, elementCount(joined));
  let offset = 0;
  for (const part of parts) {
    (data as Float32Array).set(part.data as Float32Array, offset);
    offset += part.data.length;
  }
  return tensor(dtype, joined, data);
}

/**
 * What each call gets of a joined answer, in memory of its own.
 *
 * @param rows - of each call
 * @returns undefined where an output does not have a row for each row that went in
 */
export function splitOutputs(outputs: Outputs, rows: readonly number[]): Outputs[] | undefined {
  const total = rows.reduce((sum, each) => sum + each, 0);
  if (Object.values(outputs).some(({ shape }) => shape[0] !== total)) return undefined;
  let begin = 0;
  return rows.map((count) => {
    const from = begin;
    begin += count;
    return Object.fromEntries(
      Object.entries(outputs).map(([name, { dtype, shape, data }]) => {
        const width = data.length / total;
        const part = data.slice(from * width, begin * width) as TensorData;
        return [name, tensor(dtype, [count, ...shape.slice(1)], part)];
      }),
    );
  });
}
