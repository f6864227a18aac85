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
  const label = toLabel(output, example.label);
  const value = example[input.name] as FeedValue | undefined;
  const expected = elementCount(input.shape.slice(1).map((size) => Math.max(size, 0)));
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

/**
 * A class of a classifier, which has two or more in its one row; else as many numbers as the output has of an example.
 * Whether a classifier's task wants numbers all the same, its plan says.
 */
function toLabel(output: GraphPort, label: LabelledExample["label"]): StoredExample["label"] {
  const sizes = output.shape.slice(1);
  const size = sizes.every((each) => each > 0) ? elementCount(sizes) : undefined;
  const classes = sizes.length === 1 ? size : undefined;
  if (typeof label === "number") {
    const isClass = Number.isInteger(label) && label >= 0 && label <= LAST_CLASS;
    if (classes !== undefined && classes > 1) {
      if (isClass && label < classes) return label;
      throw invalidLabel(`a class index from 0 to ${classes - 1}`, label);
    }
    if (size === undefined && isClass) return label;
    if ((size ?? 1) !== 1 || !Number.isFinite(label)) {
      throw invalidLabel(size === 1 ? "a finite number" : `${size ?? "any"} finite numbers`, label);
    }
    return Float32Array.of(label);
  }
  const values = Float32Array.from(label);
  if (values.length === 0 || values.length !== (size ?? values.length) || !values.every(Number.isFinite)) {
    throw invalidLabel(`${size ?? "any"} finite numbers`, `${values.length}: ${values.slice(0, 4).join()}`);
  }
  return values;
}

const LAST_CLASS = 0x7fff_ffff;

function invalidLabel(expected: string, got: number | string): Error {
  return failure("runtime/invalid-example", `examples.add: label must be ${expected}, got ${got}`, {
    detail: { expected, got: String(got) },
  });
}
