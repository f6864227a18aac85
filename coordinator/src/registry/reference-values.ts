import type { ReferenceValues } from "@tributary/federation/planning";
import { inputColumns, readExampleTable } from "@tributary/engine/examples";
import { featuresOf, featureValue } from "@tributary/metrics";
import type { TaskSpec } from "@tributary/protocol";
import type { BlobStore } from "../ports/blob-store.ts";
import type { ModelRecord } from "../ports/records.ts";

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
    featuresOf(inputs).map((feature) => {
      const at = inputs.findIndex(({ name }) => name === feature.input);
      const { dtype, data } = columns[at]!;
      // As devices feed them.
      const scale = dtype === "uint8" && /^float(32|64)$/.test(inputs[at]!.dtype) ? 1 / 255 : 1;
      const width = data.length / table.count;
      const values = Float64Array.from(
        { length: table.count },
        (_, row) => scale * featureValue(feature, data, row, width),
      );
      return [feature.metric, values] as const;
    }),
  );
  const [only, ...more] = table.labels.values();
  const labels = more.length === 0 && only?.values instanceof Int32Array ? only.values : undefined;
  return { dataset: reference, examples: table.count, features, labels };
}
