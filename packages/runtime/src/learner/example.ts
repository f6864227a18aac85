import { failure } from "@tributary/core";
import type { GraphPort } from "@tributary/protocol";
import { elementCount } from "@tributary/tensor";
import type { FeedValue, LabelledExample } from "../runtime.ts";
import type { StoredExample } from "../store/device-store.ts";

/**
 * An app's labelled example as it is kept: bytes as bytes, everything else as float32.
 * @throws `runtime/invalid-example`
 */
export function toExample(input: GraphPort, output: GraphPort, example: LabelledExample): StoredExample {
  const { label } = example;
  const value = example[input.name] as FeedValue | undefined;
  const expected = elementCount(input.shape.slice(1).map((size) => Math.max(size, 0)));
  const classes = output.shape.at(-1) ?? 0;
  const last = classes > 0 ? classes - 1 : 0x7fff_ffff;
  if (!Number.isInteger(label) || label < 0 || label > last) {
    throw failure(
      "runtime/invalid-example",
      `examples.add: label must be a class index from 0 to ${last}, got ${label}`,
      { detail: { got: String(label), last } },
    );
  }
  if (value === undefined || typeof value !== "object") {
    throw failure("runtime/invalid-example", `examples.add: the model's input "${input.name}" is missing`, {
      detail: { input: input.name },
    });
  }
  const data = "dtype" in value ? value.data : value;
  if (data.length !== expected) {
    throw failure(
      "runtime/invalid-example",
      `examples.add: "${input.name}" takes ${expected} values, got ${data.length}`,
      { detail: { input: input.name, expected, got: data.length } },
    );
  }
  if (data instanceof Uint8Array) return { features: Uint8Array.from(data), label };
  const features = Float32Array.from(data as ArrayLike<number>);
  if (!features.every(Number.isFinite)) {
    throw failure("runtime/invalid-example", `examples.add: "${input.name}" holds NaN or infinity`, {
      detail: { input: input.name },
    });
  }
  return { features, label };
}
