/** One example as bytes: the body of a record, and part of a sealed page. */
import {
  bytes,
  choice,
  decode,
  encode,
  list,
  mapped,
  struct,
  taggedUnion,
  text,
  u32,
  type Codec,
} from "@tributary/core";
import type { LabelValues } from "@tributary/engine/batches";
import { LIMITS } from "@tributary/protocol";
import { elementBytes, holds, viewOf, type DType, type TensorData } from "@tributary/tensor";
import { MAX_EXAMPLE_BYTES, type StoredExample } from "./device-store.ts";

type ArrayType = Exclude<DType, "bool" | "float16">;

/** An array's element type as memory: bool is held as uint8, float16 as uint16. */
const ARRAY_TAGS: Readonly<Record<ArrayType, number>> = {
  float32: 1,
  float64: 2,
  int8: 3,
  uint8: 4,
  int16: 5,
  uint16: 6,
  int32: 7,
  uint32: 8,
  int64: 9,
  uint64: 10,
};

const ARRAY_TYPES = Object.keys(ARRAY_TAGS) as ArrayType[];

const raw = struct({ type: choice(ARRAY_TAGS), data: bytes({ max: MAX_EXAMPLE_BYTES }) });

const arrayCodec: Codec<TensorData> = mapped(
  raw,
  ({ type, data }) => {
    const own = data.slice(); // aligned, and not a view of the whole file
    return viewOf(type, own.buffer, 0, own.length / elementBytes(type));
  },
  (values) => ({
    type: typeOf(values),
    data: new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength),
  }),
);

function typeOf(values: TensorData): ArrayType {
  return ARRAY_TYPES.find((type) => holds(type, values))!;
}

const labelCodec = taggedUnion("kind", {
  class: [1, struct({ index: u32 })],
  numbers: [2, struct({ values: arrayCodec })],
});
const inputsCodec = list(arrayCodec, { max: LIMITS.maxPorts });
const exampleCodec = struct({
  inputs: inputsCodec,
  /** One without a name is the only label. */
  labels: list(struct({ name: text({ max: 2048 }), label: labelCodec }), { max: LIMITS.maxPorts }),
});

export function encodeExample({ inputs, label }: StoredExample): Uint8Array {
  const labelOf = (values: LabelValues) =>
    typeof values === "number"
      ? ({ kind: "class", index: values } as const)
      : ({ kind: "numbers", values } as const);
  const isOnly = typeof label === "number" || label instanceof Float32Array;
  const named: (readonly [string, LabelValues])[] = isOnly ? [["", label]] : Object.entries(label);
  return encode(exampleCodec, {
    inputs,
    labels: named.map(([name, values]) => ({ name, label: labelOf(values) })),
  });
}

export function decodeExample(body: Uint8Array): StoredExample {
  const { inputs, labels } = decode(exampleCodec, body);
  const named = labels.map(({ name, label }): [string, LabelValues] => [
    name,
    label.kind === "class" ? label.index : (label.values as Float32Array),
  ]);
  const [first] = named;
  const isOnly = first !== undefined && named.length === 1 && first[0] === "";
  return { inputs, label: isOnly ? first[1] : Object.fromEntries(named) };
}

/** The inputs alone: what makes two examples the same one. */
export function encodeInputs({ inputs }: StoredExample): Uint8Array<ArrayBuffer> {
  return encode(inputsCodec, inputs);
}
