import { failure } from "@tributary/core";
import type { DType } from "@tributary/tensor";

/** Every element type of TensorProto.DataType; the ones a DType exists for carry the DType's name. */
export type ElementType =
  | DType
  | "undefined"
  | "string"
  | "complex64"
  | "complex128"
  | "bfloat16"
  | "float8e4m3fn"
  | "float8e4m3fnuz"
  | "float8e5m2"
  | "float8e5m2fnuz"
  | "uint4"
  | "int4"
  | "float4e2m1"
  | "float8e8m0"
  | "uint2"
  | "int2";

interface ElementSpec {
  readonly type: ElementType;
  /** Bits an element takes in `raw_data`; 0 where there is no raw form. */
  readonly bits: number;
}

/** Index = TensorProto.DataType number. */
const ELEMENTS: readonly ElementSpec[] = [
  { type: "undefined", bits: 0 },
  { type: "float32", bits: 32 },
  { type: "uint8", bits: 8 },
  { type: "int8", bits: 8 },
  { type: "uint16", bits: 16 },
  { type: "int16", bits: 16 },
  { type: "int32", bits: 32 },
  { type: "int64", bits: 64 },
  { type: "string", bits: 0 },
  { type: "bool", bits: 8 },
  { type: "float16", bits: 16 },
  { type: "float64", bits: 64 },
  { type: "uint32", bits: 32 },
  { type: "uint64", bits: 64 },
  { type: "complex64", bits: 64 },
  { type: "complex128", bits: 128 },
  { type: "bfloat16", bits: 16 },
  { type: "float8e4m3fn", bits: 8 },
  { type: "float8e4m3fnuz", bits: 8 },
  { type: "float8e5m2", bits: 8 },
  { type: "float8e5m2fnuz", bits: 8 },
  { type: "uint4", bits: 4 },
  { type: "int4", bits: 4 },
  { type: "float4e2m1", bits: 4 },
  { type: "float8e8m0", bits: 8 },
  { type: "uint2", bits: 2 },
  { type: "int2", bits: 2 },
];

const CODES = new Map(ELEMENTS.map(({ type }, code) => [type, code]));

export function elementTypeOf(code: number, where: string): ElementType {
  const spec = ELEMENTS[code];
  if (spec === undefined) {
    throw failure("onnx/invalid-model", `onnx: ${where} has the unknown element type ${code}`);
  }
  return spec.type;
}

export function elementCodeOf(type: ElementType): number {
  return CODES.get(type) ?? 0;
}

/** Bytes that `count` elements take in `raw_data`; sub-byte types are packed. */
export function rawByteLength(type: ElementType, count: number): number {
  return Math.ceil((count * (ELEMENTS[elementCodeOf(type)]?.bits ?? 0)) / 8);
}
