import { failure } from "@tributary/core";
import { writeValues } from "@tributary/engine";
import type { ModelDescription } from "@tributary/onnx";
import { allocate, isDType, readSafetensors, tensor, type Tensor } from "@tributary/tensor";

/** Examples of a calibration file in feeds as large as the model takes them. */
export interface CalibrationExamples {
  readonly examples: readonly Readonly<Record<string, Tensor>>[];
  readonly count: number;
  /** The class of each example, where the file has labels. */
  readonly labels?: ArrayLike<number>;
}

/** Examples that one feed holds where the model leaves it open. */
const OPEN_BATCH = 16;

/**
 * A safetensors file with one tensor for each input of the model, [examples, …], or, for a model with one input,
 * `images`; as the input's element type, uint8 by 255 where that is a float. `labels` (int32, [examples]) may be there too.
 */
export function readCalibration(bytes: Uint8Array, model: ModelDescription): CalibrationExamples {
  const { tensors } = readSafetensors(bytes);
  const columns = model.inputs.map(({ name, shape, elementType }) => {
    const found = tensors.get(name) ?? (model.inputs.length === 1 ? tensors.get("images") : undefined);
    if (found === undefined) {
      throw failure(
        "cli/file",
        `the calibration file has no tensor "${name}"; it has ${[...tensors.keys()].join(", ")}`,
      );
    }
    const values = fitting(name, elementType, found);
    return { name, shape: shape ?? found.shape, count: found.shape[0] ?? 0, values };
  });
  const count = Math.min(...columns.map((column) => column.count));
  const declared = columns[0]?.shape[0];
  const batch = typeof declared === "number" && declared > 0 ? declared : Math.min(OPEN_BATCH, count);
  const feeds = Math.floor(count / Math.max(1, batch));
  if (feeds === 0) {
    throw failure(
      "cli/file",
      `the calibration file has ${count} examples, and the model takes ${batch} at once`,
    );
  }
  const examples = Array.from({ length: feeds }, (_, feed) =>
    Object.fromEntries(
      columns.map(({ name, shape, values, count: rows }) => {
        const { dtype, data } = values;
        const size = (data.length / rows) * batch;
        const tail = shape.slice(1).map((dim) => (typeof dim === "number" ? dim : 1));
        const batchOf = data.slice(feed * size, (feed + 1) * size) as typeof data;
        return [name, tensor(dtype, [batch, ...tail], batchOf)] as const;
      }),
    ),
  );
  const labels = tensors.get("labels")?.data;
  return {
    examples,
    count: feeds * batch,
    ...(labels instanceof Int32Array ? { labels: labels.subarray(0, feeds * batch) } : {}),
  };
}

/** The column in the input's element type. */
function fitting(name: string, elementType: string, { dtype, shape, data }: Tensor): Tensor {
  if (isDType(elementType)) {
    const values = allocate(elementType, data.length);
    // Truth values are numbers; only bytes are shares of 255.
    const given = dtype === "bool" ? Array.from(data as Uint8Array) : data;
    const wrong = writeValues(elementType, values, 0, given);
    if (wrong === undefined) return tensor(elementType, shape, values);
  }
  throw failure(
    "cli/file",
    `"${name}" of the calibration file is ${dtype}, which does not fit the model's ${elementType}`,
    { detail: { input: name, expected: elementType, got: dtype } },
  );
}
