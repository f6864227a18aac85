import { failure } from "@tributary/core";
import { tensor, type DType, type Tensor, type TensorData } from "@tributary/tensor";
import type { Tensor as OrtTensor, TensorConstructor } from "onnxruntime-common";

/** Every dtype of ours has the same name in onnxruntime; int4, uint4 and string have no counterpart here. */
const DTYPES: Readonly<Record<DType, OrtTensor.Type>> = {
  float32: "float32",
  float64: "float64",
  float16: "float16",
  int8: "int8",
  uint8: "uint8",
  int16: "int16",
  uint16: "uint16",
  int32: "int32",
  uint32: "uint32",
  int64: "int64",
  uint64: "uint64",
  bool: "bool",
};

/** Our name for an element type of onnxruntime, or `undefined` for one that we do not carry. */
export function dtypeOf(type: string): DType | undefined {
  return Object.hasOwn(DTYPES, type) ? (type as DType) : undefined;
}

/** Wraps the data of a tensor for onnxruntime, without a copy. */
export function toOrtTensor(constructor: TensorConstructor, value: Tensor): OrtTensor {
  if (value.dtype !== "float16") {
    return new constructor(DTYPES[value.dtype], value.data as OrtTensor.DataType, value.shape);
  }
  // Where the platform has Float16Array, the constructor makes one of float16 bits, and onnxruntime-node reads it as empty.
  const bits = new constructor("uint16", value.data as Uint16Array, value.shape);
  return Object.defineProperty(bits, "type", { value: "float16" });
}

/**
 * Reads an output. The result owns its memory: `copy` is true where the engine hands out a view into memory that it
 * will use again.
 * @throws `engine/unsupported-dtype`
 */
export function fromOrtTensor(name: string, value: OrtTensor, copy: boolean): Tensor {
  const dtype = dtypeOf(value.type);
  if (dtype === undefined) {
    throw failure(
      "engine/unsupported-dtype",
      `engine: output "${name}" has element type ${value.type}; expected one of ${Object.keys(DTYPES).join(", ")}`,
      { detail: { output: name, dtype: value.type } },
    );
  }
  let data = value.data as unknown as TensorData;
  // Where the platform has Float16Array, onnxruntime uses it; ours is the raw bits everywhere.
  if (dtype === "float16" && !(data instanceof Uint16Array)) {
    const view = data as ArrayBufferView<ArrayBuffer>;
    data = new Uint16Array(view.buffer, view.byteOffset, view.byteLength / 2);
  }
  return tensor(dtype, [...value.dims], copy ? (data.slice() as TensorData) : data);
}
