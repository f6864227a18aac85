import { failure } from "@tributary/core";
import type { ModelDescription } from "@tributary/onnx";
import { readSafetensors, tensor, type Tensor } from "@tributary/tensor";

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
 * `images`; float32 as it is, uint8 by 255. `labels` (int32, [examples]) may be there too.
 */
export function readCalibration(bytes: Uint8Array, model: ModelDescription): CalibrationExamples {
  const { tensors } = readSafetensors(bytes);
  const columns = model.inputs.map(({ name, shape }) => {
    const found = tensors.get(name) ?? (model.inputs.length === 1 ? tensors.get("images") : undefined);
    if (found === undefined) {
      throw failure(
        "cli/file",
        `the calibration file has no tensor "${name}"; it has ${[...tensors.keys()].join(", ")}`,
      );
    }
    return { name, shape: shape ?? found.shape, count: found.shape[0] ?? 0, values: floats(name, found) };
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
        const size = (values.length / rows) * batch;
        const tail = shape.slice(1).map((dim) => (typeof dim === "number" ? dim : 1));
        return [
          name,
          tensor("float32", [batch, ...tail], values.slice(feed * size, (feed + 1) * size)),
        ] as const;
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

function floats(name: string, { data }: Tensor): Float32Array<ArrayBuffer> {
  if (data instanceof Float32Array) return Float32Array.from(data);
  if (data instanceof Uint8Array) return Float32Array.from(data, (value) => value / 255);
  throw failure(
    "cli/file",
    `"${name}" of the calibration file must be float32, or uint8 to be divided by 255`,
  );
}
