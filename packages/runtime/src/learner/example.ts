import { failure } from "@tributary/core";
import { writeValues } from "@tributary/engine";
import type { LabelValues } from "@tributary/engine/batches";
import { MAX_PORTS, type GraphPort } from "@tributary/protocol";
import { allocate, elementCount, type TensorData } from "@tributary/tensor";
import type { ExampleDraft } from "../device.ts";
import { isImageInput, type ImageInput } from "../images/image-input.ts";
import type { FeedValue, KeptExample, LabelledExample, LabelValue, ModelState } from "../runtime.ts";
import { MAX_EXAMPLE_BYTES, type StoredExample } from "../store/device-store.ts";
import { isTensor } from "../updater/feeds.ts";

type Ports = Pick<ModelState, "inputs" | "outputs">;

const LABEL = "label";

/**
 * An app's labelled example on its way to where the model runs: bytes as bytes, everything else in the input's element type. Images stay
 * images, which are still to become values of their inputs.
 *
 * @throws `runtime/invalid-example`
 */
export function toExample({ inputs, outputs }: Ports, example: LabelledExample): ExampleDraft {
  if (inputs.some(({ name }) => name === LABEL)) {
    throw invalid(
      `the model has an input "${LABEL}", which here is what is to be learned; export it under another name`,
      { input: LABEL },
    );
  }
  const unknown = Object.keys(example).find(
    (key) => key !== LABEL && !inputs.some(({ name }) => name === key),
  );
  if (unknown !== undefined) {
    const names = inputs.map(({ name }) => `"${name}"`).join(", ");
    throw invalid(`the model has no input "${unknown}"; it has ${names}`, {
      input: unknown,
      expected: names,
    });
  }
  const stored: ExampleDraft = {
    inputs: inputs.map((port) => {
      const value = example[port.name] as FeedValue | ImageInput | undefined;
      // Whether the input takes images is seen where they are read.
      const isImage = typeof value === "object" && value !== null && isImageInput(value);
      return isImage ? value : toValues(port, value);
    }),
    label: toLabel(outputs, example.label),
  };
  const sizeBytes = sizeOf(stored);
  if (sizeBytes > MAX_EXAMPLE_BYTES) {
    throw invalid(`an example has at most ${MAX_EXAMPLE_BYTES} bytes, got ${sizeBytes}`, {
      expected: MAX_EXAMPLE_BYTES,
      got: sizeBytes,
    });
  }
  return stored;
}

/** A kept example by the names of the inputs. */
export function toKept({ inputs }: Ports, { inputs: values, label }: StoredExample): KeptExample {
  return { inputs: Object.fromEntries(inputs.map(({ name }, i) => [name, values[i]!])), label };
}

/** One row of an input. */
function toValues({ name, dtype, shape }: GraphPort, value: FeedValue | undefined): TensorData {
  const where = `input "${name}"`;
  if (value === undefined || typeof value !== "object" || value === null) {
    throw invalid(`${where} is missing: ${dtype} [${shape.slice(1).join()}] expected`, {
      input: name,
      expected: dtype,
    });
  }
  const rest = shape.slice(1);
  if (shape.length === 0 || rest.some((size) => size < 0)) {
    throw invalid(
      `${where} has the shape [${shape.join()}]; only models whose first dimension alone is free (the batch) learn, so export it with fixed sizes`,
      { input: name, got: `[${shape.join()}]` },
    );
  }
  if (isTensor(value) && value.dtype !== dtype && !(value.dtype === "uint8" && isFloat(dtype))) {
    throw invalid(`${where} is ${dtype}, got a tensor of ${value.dtype}`, {
      input: name,
      expected: dtype,
      got: value.dtype,
    });
  }
  const data = isTensor(value) ? value.data : value;
  const expected = elementCount(rest);
  if (data.length !== expected) {
    throw invalid(`${where} takes ${expected} values, got ${data.length}`, {
      input: name,
      expected,
      got: data.length,
    });
  }
  if (data instanceof Uint8Array && isFloat(dtype)) return Uint8Array.from(data);
  const values = allocate(dtype, expected);
  const wrong = writeValues(dtype, values, 0, data) ?? firstNotFinite(values);
  if (wrong === undefined) return values;
  throw invalid(
    `${where} takes ${isFloat(dtype) ? "finite numbers" : dtype}, got ${String(data[wrong])} at index ${wrong}`,
    { input: name, expected: dtype, got: String(data[wrong]) },
  );
}

function isFloat(dtype: GraphPort["dtype"]): boolean {
  return dtype === "float32" || dtype === "float64";
}

function firstNotFinite(values: TensorData): number | undefined {
  if (!(values instanceof Float32Array) && !(values instanceof Float64Array)) return undefined;
  const index = values.findIndex((value) => !Number.isFinite(value));
  return index < 0 ? undefined : index;
}

/** A label without a name is the first output's. Others are named: by an output, or by an input of a task's loss graph. */
function toLabel(outputs: readonly GraphPort[], label: LabelledExample["label"]): StoredExample["label"] {
  const [first, ...others] = outputs;
  if (isPlain(label)) {
    const only = toLabelValues(first!, label);
    return others.length === 0 ? only : { [first!.name]: only };
  }
  const names = typeof label === "object" && label !== null ? Object.keys(label) : [];
  if (names.length === 0 || names.length > MAX_PORTS) {
    throw invalid(
      `label must be a class, numbers, or those of several outputs by name, got ${label === null ? "null" : typeof label}`,
      { expected: "label", got: names.length },
    );
  }
  return Object.fromEntries(
    names.map((name) => {
      const value = label[name];
      if (!isPlain(value)) {
        throw invalid(`label "${name}" must be a class or numbers, got ${typeof value}`, { label: name });
      }
      return [name, toLabelValues(outputs.find((output) => output.name === name) ?? { name }, value)];
    }),
  );
}

function isPlain(label: LabelledExample["label"] | undefined): label is LabelValue {
  return typeof label === "number" || Array.isArray(label) || label instanceof Float32Array;
}

/**
 * A class of a classifier, which has two or more in its one row; else as many numbers as the output has of an example.
 * Whether a classifier's task wants numbers all the same, its plan says.
 */
function toLabelValues(output: Pick<GraphPort, "name"> & Partial<GraphPort>, label: LabelValue): LabelValues {
  const sizes = output.shape?.slice(1);
  const size = sizes?.every((each) => each > 0) === true ? elementCount(sizes) : undefined;
  const classes = sizes?.length === 1 ? size : undefined;
  if (typeof label === "number") {
    const isClass = Number.isInteger(label) && label >= 0 && label <= LAST_CLASS;
    if (classes !== undefined && classes > 1) {
      if (isClass && label < classes) return label;
      throw invalidLabel(output, `a class index from 0 to ${classes - 1}`, label);
    }
    if (size === undefined && isClass) return label;
    if ((size ?? 1) !== 1 || !Number.isFinite(label)) {
      throw invalidLabel(output, size === 1 ? "a finite number" : `${size ?? "any"} finite numbers`, label);
    }
    return Float32Array.of(label);
  }
  const values = Float32Array.from(label);
  if (values.length === 0 || values.length !== (size ?? values.length) || !values.every(Number.isFinite)) {
    throw invalidLabel(
      output,
      `${size ?? "any"} finite numbers`,
      `${values.length}: ${values.slice(0, 4).join()}`,
    );
  }
  return values;
}

const LAST_CLASS = 0x7fff_ffff;

function invalidLabel({ name }: { readonly name: string }, expected: string, got: number | string): Error {
  return invalid(`label of "${name}" must be ${expected}, got ${got}`, {
    label: name,
    expected,
    got: String(got),
  });
}

/** Of what is known yet: an image has the size of its input once it was read. */
function sizeOf({ inputs, label }: ExampleDraft): number {
  const labels = typeof label === "number" || label instanceof Float32Array ? [label] : Object.values(label);
  const labelBytes = labels.map((each) => (typeof each === "number" ? 4 : each.byteLength));
  const inputBytes = inputs.map((value) => (isImageInput(value) ? 0 : value.byteLength));
  return [...inputBytes, ...labelBytes].reduce((sum, bytes) => sum + bytes);
}

function invalid(what: string, detail: Readonly<Record<string, string | number>>): Error {
  return failure("runtime/invalid-example", `examples.add: ${what}`, { detail });
}
