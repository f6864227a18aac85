import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { failure } from "@tributary/core";
import { exampleTable } from "@tributary/engine/examples";
import { readSafetensors } from "@tributary/tensor";
import { MAX_VALUES, type SourceTable } from "./data-set.ts";

/**
 * Reads a safetensors file with a tensor [N, ...] for each input, `labels` (or `labels.<output>`), and, where clients go by
 * a column, a tensor [N] of that name.
 *
 * @throws `dataset/*`, `safetensors/*`
 */
export async function readSafetensorsTable(file: string, group: string | undefined): Promise<SourceTable> {
  const name = path.basename(file);
  const found = await stat(file).catch(() => undefined);
  if (found?.isFile() !== true) {
    throw failure("dataset/not-found", `${file}: there is no such file`, { detail: { file: name } });
  }
  if (found.size > MAX_VALUES) {
    throw failure("dataset/too-large", `${name}: ${found.size} bytes, at most ${MAX_VALUES}`, {
      detail: { file: name },
    });
  }
  const { tensors } = readSafetensors(await readFile(file));
  const all = new Map(tensors);
  if (group === undefined) return { table: exampleTable(all) };
  const column = all.get(group);
  all.delete(group);
  const table = exampleTable(all);
  if (column === undefined || column.shape.length !== 1 || column.shape[0] !== table.count) {
    throw failure(
      "dataset/mismatch",
      `${name}: a tensor "${group}" [${table.count}] expected, which tells clients apart, got ${column === undefined ? "none" : `[${column.shape.join()}]`}`,
      { detail: { file: name, column: group } },
    );
  }
  const numbers = new Map<number, number>();
  const of = Uint32Array.from(column.data as ArrayLike<number | bigint>, (value) => {
    const key = Number(value);
    let number = numbers.get(key);
    if (number === undefined) numbers.set(key, (number = numbers.size));
    return number;
  });
  return { table, groups: { of, count: numbers.size } };
}
