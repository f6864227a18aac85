import { concatBytes, encodeUtf8 } from "@tributary/core";
import type { DType, Tensor } from "@tributary/tensor";

/** A graph of a few nodes, as a test case states it. */
export interface TinyGraph {
  readonly nodes: readonly TinyNode[];
  /** Inputs in order; a string is a free dimension. */
  readonly inputs: Readonly<Record<string, readonly [DType, readonly (number | string)[]]>>;
  readonly outputs: Readonly<Record<string, readonly [DType, readonly (number | string)[]]>>;
  readonly initializers?: Readonly<Record<string, Tensor>>;
}

export interface TinyNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<
    Record<string, number | string | readonly number[] | { readonly float: number }>
  >;
}

/** onnx.proto3, TensorProto.DataType */
const ELEMENT_TYPES: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
};
const IR_VERSION = 8;
const OPSET = 17;

/** Writes a graph as ONNX bytes: just enough protobuf, so that the suite depends on no model package. */
export function tinyOnnx(graph: TinyGraph): Uint8Array<ArrayBuffer> {
  const graphBytes = concatBytes(
    ...graph.nodes.map((node) => message(1, nodeBytes(node))),
    text(2, "case"),
    ...Object.entries(graph.initializers ?? {}).map(([name, value]) => message(5, tensorBytes(name, value))),
    ...Object.entries(graph.inputs).map(([name, port]) => message(11, valueInfo(name, port))),
    ...Object.entries(graph.outputs).map(([name, port]) => message(12, valueInfo(name, port))),
  );
  return concatBytes(integer(1, IR_VERSION), message(7, graphBytes), message(8, integer(2, OPSET)));
}

function nodeBytes({ op, inputs, outputs, attributes = {} }: TinyNode): Uint8Array {
  return concatBytes(
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) =>
      message(5, concatBytes(text(1, name), attributeValue(value))),
    ),
  );
}

function attributeValue(value: number | string | readonly number[] | { readonly float: number }): Uint8Array {
  if (typeof value === "number") return concatBytes(integer(3, value), integer(20, 2));
  if (typeof value === "string") return concatBytes(text(4, value), integer(20, 3));
  if ("float" in value) {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value.float, true);
    return concatBytes(Uint8Array.of((2 << 3) | 5), bytes, integer(20, 1));
  }
  return concatBytes(...value.map((each) => integer(8, each)), integer(20, 7));
}

function tensorBytes(name: string, { dtype, shape, data }: Tensor): Uint8Array {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return concatBytes(
    ...shape.map((size) => integer(1, size)),
    integer(2, ELEMENT_TYPES[dtype]),
    text(8, name),
    message(9, raw),
  );
}

function valueInfo(name: string, [dtype, shape]: readonly [DType, readonly (number | string)[]]): Uint8Array {
  const dimensions = shape.map((size) =>
    message(1, typeof size === "number" ? integer(1, size) : text(2, size)),
  );
  const tensorType = concatBytes(integer(1, ELEMENT_TYPES[dtype]), message(2, concatBytes(...dimensions)));
  return concatBytes(text(1, name), message(2, message(1, tensorType)));
}

function integer(field: number, value: number): Uint8Array {
  return concatBytes(varint(BigInt((field << 3) | 0)), varint(BigInt.asUintN(64, BigInt(value))));
}

function text(field: number, value: string): Uint8Array {
  return message(field, encodeUtf8(value));
}

function message(field: number, bytes: Uint8Array): Uint8Array {
  return concatBytes(varint(BigInt((field << 3) | 2)), varint(BigInt(bytes.length)), bytes);
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
