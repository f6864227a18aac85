import { failure } from "@tributary/core";
import { writeValues, type Feeds } from "@tributary/engine";
import { inputColumns, type ExampleTable } from "@tributary/engine/examples";
import type { GraphPort } from "@tributary/protocol";
import { allocate, elementCount, tensor } from "@tributary/tensor";

/** Rows of a run, where the model leaves it open. */
const OPEN_BATCH = 32;

/**
 * The first rows of a data set as a model takes them, without labels. Rows that fill no whole batch are left out.
 *
 * @param most - how many rows
 * @throws `dataset/mismatch`
 */
export function rowFeeds(table: ExampleTable, ports: readonly GraphPort[], most: number): readonly Feeds[] {
  const columns = inputColumns(
    table,
    ports.map(({ name }) => name),
  );
  const fixed = ports[0]?.shape[0] ?? 1;
  const rows = Math.min(most, table.count);
  const batch = fixed > 0 ? fixed : Math.min(OPEN_BATCH, rows);
  return Array.from({ length: Math.floor(rows / batch) }, (_, run) =>
    Object.fromEntries(
      ports.map(({ name, dtype, shape }, i) => {
        const column = columns[i]!;
        const sizes = [
          batch,
          ...shape.slice(1).map((size, axis) => (size > 0 ? size : (column.shape[axis + 1] ?? 1))),
        ];
        const count = elementCount(sizes);
        const values = allocate(dtype, count);
        const given = column.data.subarray(run * count, (run + 1) * count);
        if (given.length === count && writeValues(dtype, values, 0, given) === undefined)
          return [name, tensor(dtype, sizes, values)];
        throw failure(
          "dataset/mismatch",
          `dataset: "${name}" does not hold ${dtype} of [${sizes.join()}] a run`,
          {
            detail: { input: name, dtype },
          },
        );
      }),
    ),
  );
}
