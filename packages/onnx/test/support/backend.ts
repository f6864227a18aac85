import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestEngine, OrtTensor } from "./engines.ts";
import type { Model, TensorValue } from "../../src/ir/model.ts";
import { tensorFromProto } from "../../src/ir/tensor-value.ts";
import { readMessage } from "../../src/proto/message.ts";
import { TensorSpec } from "../../src/proto/onnx-messages.ts";

/** Rank-one layout of every element type that onnxruntime-node takes and gives. */
const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
  float16: Float16Array,
  uint4: Uint8Array,
  int4: Uint8Array,
} as const;

type Known = keyof typeof ARRAYS;

export function readTensor(file: string): TensorValue {
  return tensorFromProto(readMessage(TensorSpec, readFileSync(file)));
}

/** The data sets of a case: numbered input and expected output files. */
export function dataSets(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith("test_data_set_"))
    .map((name) => join(folder, name));
}

export function filesOf(dataSet: string, kind: "input" | "output"): string[] {
  const files: string[] = [];
  for (let i = 0; existsSync(join(dataSet, `${kind}_${i}.pb`)); i += 1) {
    files.push(join(dataSet, `${kind}_${i}.pb`));
  }
  return files;
}

/** Graph inputs that a caller supplies. */
export function requiredInputs({ graph }: Model): string[] {
  const constants = new Set(graph.initializers.map(({ name }) => name));
  return graph.inputs.map(({ name }) => name).filter((name) => !constants.has(name));
}

function elements(value: TensorValue): ArrayLike<number | bigint> {
  const Type = ARRAYS[value.elementType as Known];
  if (Type === undefined) throw new Error(`no ${value.elementType} tensors in JavaScript`);
  return new Type(new Uint8Array(value.data).buffer);
}

const utf8 = new TextDecoder();

export function toOrt(engine: TestEngine, value: TensorValue): OrtTensor {
  const dims = [...value.dims];
  if (value.elementType === "string") {
    return new engine.Tensor(
      "string",
      value.strings!.map((bytes) => utf8.decode(bytes)),
      dims,
    );
  }
  return new engine.Tensor(value.elementType as "float32", elements(value) as unknown as Float32Array, dims);
}

/** Relative and absolute tolerance by element type; integers, texts and truths must be equal. */
const TOLERANCE: Readonly<Record<string, readonly [relative: number, absolute: number]>> = {
  float32: [1e-3, 1e-5],
  float64: [1e-7, 1e-9],
  float16: [1e-2, 1e-3],
};

/** What differs, in words, or undefined. `scaled`: the absolute tolerance grows with the largest value. */
export function difference(expected: TensorValue, got: OrtTensor, scaled = false): string | undefined {
  if (expected.dims.join(",") !== got.dims.join(",")) {
    return `shape [${got.dims.join(",")}], expected [${expected.dims.join(",")}]`;
  }
  if (expected.elementType !== got.type) return `${got.type}, expected ${expected.elementType}`;
  if (expected.elementType === "string") {
    const texts = expected.strings!.map((bytes) => utf8.decode(bytes));
    return texts.join("\n") === (got.data as string[]).join("\n") ? undefined : "other texts";
  }
  const want = Array.from(elements(expected), Number);
  const values = Array.from(got.data as Float32Array, Number);
  const [relative, fixed] = TOLERANCE[expected.elementType] ?? [0, 0];
  const largest = want.reduce(
    (max, value) => (Number.isFinite(value) ? Math.max(max, Math.abs(value)) : max),
    0,
  );
  const absolute = scaled ? Math.max(fixed, 1e-4 * largest) : fixed;
  for (const [i, a] of want.entries()) {
    const b = values[i]!;
    if (Object.is(a, b) || a === b) continue;
    if (!(Math.abs(a - b) <= absolute + relative * Math.abs(a))) return `element ${i} is ${b}, expected ${a}`;
  }
  return undefined;
}
