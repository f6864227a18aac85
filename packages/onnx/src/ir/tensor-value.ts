import { failure } from "@tributary/core";
import { varintCount, type Preserved } from "../proto/message.ts";
import { WireReader } from "../proto/wire-reader.ts";
import type { TensorProto } from "../proto/onnx-messages.ts";
import type { ElementType } from "./element-type.ts";
import { elementCodeOf, elementTypeOf, rawByteLength } from "./element-type.ts";
import { isExternal } from "./external-data.ts";
import type { TensorValue } from "./model.ts";

/** Checks a TensorProto and brings its data, whichever field it came in, to raw little-endian bytes. */
export function tensorFromProto(proto: TensorProto): TensorValue {
  const name = proto.name ?? "";
  const where = `tensor "${name}"`;
  const elementType = elementTypeOf(proto.dataType ?? 0, where);
  const dims = proto.dims ?? [];
  const count = elementCount(dims, where);
  if (isExternal(proto)) {
    throw failure(
      "onnx/external-data",
      `onnx: ${where} keeps its data in another file; give readModel a reader, or export a single file (torch.onnx.export: external_data=False)`,
    );
  }
  const rest = proto.unknown === undefined ? {} : { unknown: proto.unknown };
  if (elementType === "string") {
    const strings = proto.stringData ?? [];
    checkLength(where, dims, count, strings.length, "strings");
    return { name, elementType, dims, data: new Uint8Array(0), strings, ...rest };
  }
  const data = proto.rawData ?? typedData(proto, elementType, count);
  checkLength(where, dims, rawByteLength(elementType, count), data.length, "bytes");
  return { name, elementType, dims, data, ...rest };
}

export function tensorToProto(value: TensorValue): TensorProto {
  return {
    dims: [...value.dims],
    dataType: elementCodeOf(value.elementType),
    name: value.name,
    ...(value.strings === undefined ? { rawData: value.data } : { stringData: [...value.strings] }),
    ...kept(value),
  };
}

/** The unknown fields of a message, to be spread into its counterpart. */
export function kept(message: Preserved): Preserved {
  return message.unknown === undefined ? {} : { unknown: message.unknown };
}

/** No operator takes more than a few axes. */
const MAX_RANK = 64;

/** Number of elements; dims must be non-negative and the product a safe integer. */
export function elementCount(dims: readonly number[], where: string): number {
  if (dims.length > MAX_RANK) {
    throw failure(
      "onnx/invalid-model",
      `onnx: ${where} has ${dims.length} axes, at most ${MAX_RANK} are read`,
    );
  }
  let count = 1;
  for (const dim of dims) {
    count *= dim;
    if (dim < 0 || !Number.isSafeInteger(count)) {
      throw failure("onnx/invalid-model", `onnx: ${where} has the impossible shape [${dims.join(",")}]`);
    }
  }
  return count;
}

function typedData(proto: TensorProto, type: ElementType, count: number): Uint8Array {
  switch (type) {
    case "float32":
    case "complex64":
      return proto.floatData ?? new Uint8Array(0);
    case "float64":
    case "complex128":
      return proto.doubleData ?? new Uint8Array(0);
    case "int64":
      return unpacked(proto.int64Data, (n) => new BigInt64Array(n), signed);
    case "uint64":
      return unpacked(proto.uint64Data, (n) => new BigUint64Array(n), unsigned);
    case "uint32":
      return unpacked(proto.uint64Data, (n) => new Uint32Array(n), number);
    case "int32":
      return unpacked(proto.int32Data, (n) => new Int32Array(n), number);
    case "uint16":
    case "int16":
    case "float16":
    case "bfloat16":
      return unpacked(proto.int32Data, (n) => new Uint16Array(n), number);
    case "undefined":
      return new Uint8Array(0);
    default: {
      // 8-bit types hold one element in an int32; 4- and 2-bit types one packed byte.
      const data = unpacked(proto.int32Data, (n) => new Uint8Array(n), number);
      return data.length > count ? data.subarray(0, rawByteLength(type, count)) : data;
    }
  }
}

const signed = (reader: WireReader): bigint => BigInt.asIntN(64, reader.varint());
const unsigned = (reader: WireReader): bigint => reader.varint();
const number = (reader: WireReader): number => reader.int64();

/** Packed varints into as many elements of a type. */
function unpacked<E extends number | bigint>(
  packed: Uint8Array | undefined,
  make: (length: number) => ArrayBufferView & Record<number, E>,
  next: (reader: WireReader) => E,
): Uint8Array {
  if (packed === undefined) return new Uint8Array(0);
  const elements = make(varintCount(packed));
  const reader = new WireReader(packed);
  for (let i = 0; !reader.done; i++) elements[i] = next(reader);
  return bytesOf(elements);
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function checkLength(
  where: string,
  dims: readonly number[],
  expected: number,
  got: number,
  unit: string,
): void {
  if (got !== expected) {
    throw failure(
      "onnx/invalid-model",
      `onnx: ${where} of shape [${dims.join(",")}] has ${got} ${unit}, expected ${expected}`,
    );
  }
}

/** A float32 constant. */
export function floatTensor(name: string, dims: readonly number[], values: ArrayLike<number>): TensorValue {
  return { name, elementType: "float32", dims, data: bytesOf(Float32Array.from(values)) };
}

/** An int64 constant. */
export function int64Tensor(
  name: string,
  dims: readonly number[],
  values: readonly (number | bigint)[],
): TensorValue {
  const data = bytesOf(BigInt64Array.from(values, (value) => BigInt(value)));
  return { name, elementType: "int64", dims, data };
}

/** An int32 constant. */
export function int32Tensor(name: string, dims: readonly number[], values: readonly number[]): TensorValue {
  return { name, elementType: "int32", dims, data: bytesOf(Int32Array.from(values)) };
}

/** Elements of a float32 constant, copied (raw data is rarely aligned, and a Buffer's slice would not copy). */
export function floatValues(value: TensorValue): Float32Array<ArrayBuffer> {
  if (value.elementType !== "float32") {
    throw new TypeError(`floatValues: "${value.name}" is ${value.elementType}`);
  }
  return new Float32Array(new Uint8Array(value.data).buffer);
}

/** Elements of an int32 or int64 constant as numbers; undefined for any other type. */
export function integerValues(value: TensorValue): number[] | undefined {
  const { buffer } = new Uint8Array(value.data);
  if (value.elementType === "int64") return Array.from(new BigInt64Array(buffer), Number);
  if (value.elementType === "int32") return Array.from(new Int32Array(buffer));
  return undefined;
}
