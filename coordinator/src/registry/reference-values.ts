import type { ReferenceValues } from "@tributary/federation/planning";
import { inputColumns, readExampleTable } from "@tributary/engine/examples";
import { featuresOf, readFeatures } from "@tributary/metrics";
import type { TaskSpec } from "@tributary/protocol";
import type { BlobStore } from "../ports/blob-store.ts";
import type { ModelRecord } from "../ports/model-records.ts";

/**
 * What the data set holds that a task of telemetry names as its reference; undefined where it names none.
 *
 * @throws `dataset/*` for one that was not held to the model before
 */
export async function referenceValues(
  blobs: BlobStore,
  { reference }: Pick<TaskSpec, "reference">,
  { inputs }: Pick<ModelRecord, "inputs">,
): Promise<ReferenceValues | undefined> {
  if (reference === null) return undefined;
  const table = readExampleTable(await blobs.bytes(reference));
  const columns = inputColumns(
    table,
    inputs.map(({ name }) => name),
  );
  const features = new Map(
    featuresOf(inputs).map(({ metric }) => [metric, new Float64Array(table.count)] as const),
  );
  for (const [at, { name, dtype }] of inputs.entries()) {
    const column = columns[at]!;
    const own = featuresOf(inputs).filter(({ input }) => input === name);
    // As devices feed them.
    const scale = column.dtype === "uint8" && /^float(32|64)$/.test(dtype) ? 1 / 255 : 1;
    const width = column.data.length / table.count;
    for (let row = 0; row < table.count; row++) {
      readFeatures(own, column.data, { row, width }, ({ metric }, value) => {
        features.get(metric)![row] = scale * value;
      });
    }
  }
  const [only, ...more] = table.labels.values();
  const labels = more.length === 0 && only?.values instanceof Int32Array ? only.values : undefined;
  return { dataset: reference, examples: table.count, features, labels };
}
