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

/** kind u8, number u32, length of the body in bytes u32; little-endian. Of a whole example the number is 0. */
const HEAD_BYTES = 9;
const EXAMPLE = 16;

// Kinds of the records that were written before models had several inputs. Their number is the class, or how many numbers
// come first as float32; the input's values follow.
const FLOATS = 1;
const BYTES = 2;
const NUMBERS = 4;

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
const exampleCodec = struct({
  inputs: list(arrayCodec, { max: LIMITS.maxPorts }),
  /** One without a name is the only label. */
  labels: list(struct({ name: text({ max: 2048 }), label: labelCodec }), { max: LIMITS.maxPorts }),
});

/** Examples as records one after the other, so that a file of them grows by appending. */
export function encodeExamples(examples: readonly StoredExample[]): Uint8Array<ArrayBuffer> {
  const bodies = examples.map(encodeBody);
  const file = new Uint8Array(bodies.reduce((sum, body) => sum + HEAD_BYTES + body.length, 0));
  const view = new DataView(file.buffer);
  let offset = 0;
  for (const body of bodies) {
    view.setUint8(offset, EXAMPLE);
    view.setUint32(offset + 5, body.length, true);
    file.set(body, offset + HEAD_BYTES);
    offset += HEAD_BYTES + body.length;
  }
  return file;
}

function encodeBody({ inputs, label }: StoredExample): Uint8Array {
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

function decodeBody(body: Uint8Array): StoredExample {
  const { inputs, labels } = decode(exampleCodec, body);
  const named = labels.map(({ name, label }): [string, LabelValues] => [
    name,
    label.kind === "class" ? label.index : (label.values as Float32Array),
  ]);
  const [first] = named;
  const isOnly = first !== undefined && named.length === 1 && first[0] === "";
  return { inputs, label: isOnly ? first[1] : Object.fromEntries(named) };
}

/** Reads records; what a crash left torn at the end is dropped. */
export function decodeExamples(file: Uint8Array): StoredExample[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  return recordOffsets(file).map((start) => {
    const body = file.subarray(start + HEAD_BYTES, start + HEAD_BYTES + view.getUint32(start + 5, true));
    const kind = view.getUint8(start);
    return kind === EXAMPLE ? decodeBody(body) : decodeFirst(kind, view.getUint32(start + 1, true), body);
  });
}

/** A record of one input, as written first. */
function decodeFirst(kind: number, number: number, body: Uint8Array): StoredExample {
  const floats = (from: number, to: number): Float32Array => new Float32Array(body.slice(from, to).buffer);
  const values = kind & NUMBERS ? number * 4 : 0;
  return {
    inputs: [kind & BYTES ? body.slice(values) : floats(values, body.length)],
    label: kind & NUMBERS ? floats(0, values) : number,
  };
}

/** Where each complete record begins. */
export function recordOffsets(file: Uint8Array): number[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const offsets: number[] = [];
  let offset = 0;
  while (offset + HEAD_BYTES <= file.length) {
    const kind = view.getUint8(offset);
    const end = offset + HEAD_BYTES + view.getUint32(offset + 5, true);
    const isFirst = (kind & ~NUMBERS) === FLOATS || (kind & ~NUMBERS) === BYTES;
    const labelBytes = isFirst && kind & NUMBERS ? 4 * view.getUint32(offset + 1, true) : 0;
    if (!(isFirst || kind === EXAMPLE) || end > file.length || offset + HEAD_BYTES + labelBytes > end) break;
    offsets.push(offset);
    offset = end;
  }
  return offsets;
}

/** Length of the complete records. */
export function completeBytes(file: Uint8Array): number {
  const last = recordOffsets(file).at(-1);
  if (last === undefined) return 0;
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  return last + HEAD_BYTES + view.getUint32(last + 5, true);
}
