import { failure, TributaryError } from "@tributary/core";
import { COST, MemoryBudget, nodeOnPath, pathText } from "./memory-budget.ts";
import { WIRE, WireReader } from "./wire-reader.ts";

/** Numbers that stay as their packed bytes: little-endian, or varints (`longs`: read into 64 bits each). */
type PackedKind = "floats" | "doubles" | "varints" | "longs";

/**
 * How one field is carried. `int` is a number (the value must be a safe integer), `bigint` a signed int64.
 */
export type ScalarKind = "string" | "bytes" | "int" | "bigint" | "float" | PackedKind;

export interface FieldSpec {
  readonly number: number;
  readonly kind: ScalarKind | (() => AnyMessageSpec);
  readonly repeated?: boolean;
}

/** Fields this subset does not interpret, tag and payload, in their order: written back as they came. */
export interface Preserved {
  unknown?: readonly Uint8Array[];
}

export interface MessageSpec<T extends Preserved> {
  readonly name: string;
  readonly fields: { readonly [K in Exclude<keyof T, "unknown">]-?: FieldSpec };
}

// oxlint-disable-next-line typescript/no-explicit-any -- recursion between messages erases their types
export type AnyMessageSpec = MessageSpec<any>;

/** Bounds on what a file may make us build. */
export interface ProtoLimits {
  /** Whole input. @defaultValue 1 GiB */
  readonly maxBytes: number;
  /** Nesting of messages (a subgraph costs three). @defaultValue 64 */
  readonly maxDepth: number;
  /**
   * Memory in bytes, as far as it can be told, that the structure of any file may take. A file gets its own size on
   * top; so a file of 3.4 MB or more is read in less than four times its size. @defaultValue 10 MB
   */
  readonly structureBytes: number;
}

export const PROTO_LIMITS: ProtoLimits = Object.freeze({
  maxBytes: 2 ** 30,
  maxDepth: 64,
  structureBytes: 10_000_000,
});

export type Raw = Record<string, unknown> & Preserved;

export interface FieldEntry extends FieldSpec {
  readonly key: string;
}

const tables = new WeakMap<AnyMessageSpec, ReadonlyMap<number, FieldEntry>>();

export function tableOf(spec: AnyMessageSpec): ReadonlyMap<number, FieldEntry> {
  let table = tables.get(spec);
  if (table === undefined) {
    const fields = Object.entries(spec.fields as Record<string, FieldSpec>);
    const sorted = fields.toSorted(([, a], [, b]) => a.number - b.number);
    table = new Map(sorted.map(([key, field]) => [field.number, { ...field, key }]));
    tables.set(spec, table);
  }
  return table;
}

/** Reads a whole message. Errors: `onnx/truncated`, `onnx/invalid-model`, `onnx/too-large`. */
export function readMessage<T extends Preserved>(
  spec: MessageSpec<T>,
  bytes: Uint8Array,
  limits: ProtoLimits = PROTO_LIMITS,
): T {
  if (bytes.length > limits.maxBytes) {
    throw failure("onnx/too-large", `onnx: ${bytes.length} bytes, at most ${limits.maxBytes} are read`);
  }
  const budget = new MemoryBudget(limits.structureBytes + bytes.length);
  // Views of a Node Buffer would be Buffers, whose slice does not copy.
  const reader = new WireReader(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  try {
    return readInto(spec, {}, reader, limits.maxDepth, budget) as T;
  } catch (error) {
    if (!TributaryError.is(error) || budget.path.length === 0) throw error;
    const path = pathText(budget.path);
    const node = nodeOnPath(budget.path);
    const place = node === undefined ? path : `${path}, ${node}`;
    const detail = { ...error.detail, path, ...(node === undefined ? {} : { node }) };
    throw failure(error.code, `${error.message} (in ${place})`, { cause: error, detail });
  }
}

function readInto(
  spec: AnyMessageSpec,
  message: Raw,
  reader: WireReader,
  depth: number,
  budget: MemoryBudget,
): Raw {
  if (depth === 0) {
    throw failure("onnx/too-large", `onnx: messages nested too deeply at byte ${reader.position}`);
  }
  budget.charge(COST.message, reader.position);
  const table = tableOf(spec);
  const unknown: Uint8Array[] = [];
  let unknownFrom = -1;
  let unknownTo = -1;
  while (!reader.done) {
    const start = reader.position;
    const key = reader.tag();
    const [number, wireType] = [key >>> 3, key & 7];
    const field = table.get(number);
    if (field === undefined) {
      reader.skip(wireType);
      // Neighbours are kept as one piece.
      if (start === unknownTo) unknown.pop();
      else {
        unknownFrom = start;
        budget.charge(COST.view, reader.position);
      }
      unknownTo = reader.position;
      unknown.push(reader.bytes.subarray(unknownFrom, unknownTo));
    } else {
      readField(spec, field, message, reader, wireType, depth, budget);
    }
  }
  for (const { key, kind } of table.values()) {
    if (!isPacked(kind) || message[key] === undefined) continue;
    message[key] = joined(message[key] as Chunk[], reader.bytes, kind === "doubles" ? 8 : 4);
  }
  if (unknown.length > 0) message.unknown = unknown;
  return message;
}

function isPacked(kind: FieldSpec["kind"]): kind is PackedKind {
  return kind === "floats" || kind === "doubles" || kind === "varints" || kind === "longs";
}

function readField(
  spec: AnyMessageSpec,
  field: FieldEntry,
  message: Raw,
  reader: WireReader,
  wireType: number,
  depth: number,
  budget: MemoryBudget,
): void {
  const { key, kind } = field;
  if (isPacked(kind)) {
    const chunks = (message[key] ??= []) as Chunk[];
    chunks.push(packedBytes(spec, field, kind, reader, wireType, budget));
    return;
  }
  if (field.repeated !== true) {
    if (typeof kind === "function" && message[key] !== undefined) {
      throw failure(
        "onnx/invalid-model",
        `onnx: ${spec.name}.${key} occurs twice before byte ${reader.position}`,
      );
    }
    message[key] = readValue(spec, field, reader, wireType, depth, budget);
    return;
  }
  const list = (message[key] ??= []) as unknown[];
  const scalar = kind === "int" || kind === "bigint" || kind === "float";
  if (scalar && wireType === WIRE.bytes) {
    const [start, end] = reader.range();
    const inner = reader.within(start, end);
    const innerType = kind === "float" ? WIRE.fixed32 : WIRE.varint;
    while (!inner.done) list.push(readValue(spec, field, inner, innerType, depth, budget));
    return;
  }
  list.push(readValue(spec, field, reader, wireType, depth, budget, list.length));
}

function readValue(
  spec: AnyMessageSpec,
  field: FieldEntry,
  reader: WireReader,
  wireType: number,
  depth: number,
  budget: MemoryBudget,
  index?: number,
): unknown {
  const { kind } = field;
  const expected =
    kind === "int" || kind === "bigint" ? WIRE.varint : kind === "float" ? WIRE.fixed32 : WIRE.bytes;
  if (wireType !== expected) throw wrongWireType(spec, field, wireType, expected, reader);
  switch (kind) {
    case "string": {
      const text = reader.text();
      budget.charge(COST.text + text.length, reader.position);
      return text;
    }
    case "bytes":
      if (index !== undefined) budget.charge(COST.view, reader.position);
      return reader.payload();
    case "float":
      if (field.repeated === true) budget.charge(COST.number, reader.position);
      return reader.float();
    case "bigint":
      if (field.repeated === true) budget.charge(COST.bigint, reader.position);
      return BigInt.asIntN(64, reader.varint());
    case "int":
      if (field.repeated === true) budget.charge(COST.number, reader.position);
      return safeInteger(spec, field, reader);
    case "floats":
    case "doubles":
    case "varints":
    case "longs":
      throw new TypeError(`${spec.name}.${field.key} is packed`);
    default: {
      const [start, end] = reader.range();
      const message: Raw = {};
      budget.path.push({ text: index === undefined ? field.key : `${field.key}[${index}]`, message });
      readInto(kind(), message, reader.within(start, end), depth - 1, budget);
      budget.path.pop();
      return message;
    }
  }
}

/** A packed payload; or where a single number begins, of those that came one a field. */
type Chunk = Uint8Array | number;

/** Packed (one payload) or not (one number a field) numbers, as their bytes. */
function packedBytes(
  spec: AnyMessageSpec,
  field: FieldEntry,
  kind: PackedKind,
  reader: WireReader,
  wireType: number,
  budget: MemoryBudget,
): Chunk {
  const start = reader.position;
  if (kind === "varints" || kind === "longs") {
    if (wireType === WIRE.varint) {
      budget.charge(COST.view, reader.position);
      reader.skip(wireType);
      return reader.bytes.subarray(start, reader.position);
    }
    if (wireType !== WIRE.bytes) throw wrongWireType(spec, field, wireType, WIRE.bytes, reader);
    budget.charge(COST.view, reader.position);
    const payload = reader.payload();
    if (kind === "longs") budget.charge(8 * varintCount(payload), reader.position);
    return payload;
  }
  const width = kind === "floats" ? 4 : 8;
  const single = width === 4 ? WIRE.fixed32 : WIRE.fixed64;
  if (wireType === single) {
    budget.charge(COST.number, reader.position);
    reader.skip(single);
    return start;
  }
  if (wireType !== WIRE.bytes) throw wrongWireType(spec, field, wireType, WIRE.bytes, reader);
  budget.charge(COST.view, reader.position);
  const payload = reader.payload();
  if (payload.length % width !== 0) {
    throw failure(
      "onnx/invalid-model",
      `onnx: ${spec.name}.${field.key} has ${payload.length} bytes, not a multiple of ${width}`,
    );
  }
  return payload;
}

/** Numbers in a packed payload of varints: every one ends with a byte below 128. */
export function varintCount(payload: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < payload.length; i++) if (payload[i]! < 0x80) count += 1;
  return count;
}

function joined(chunks: readonly Chunk[], bytes: Uint8Array, width: number): Uint8Array {
  const [only] = chunks;
  if (typeof only === "object" && chunks.length === 1) return only;
  const sizeOf = (chunk: Chunk): number => (typeof chunk === "number" ? width : chunk.length);
  const all = new Uint8Array(chunks.reduce<number>((sum, chunk) => sum + sizeOf(chunk), 0));
  let at = 0;
  for (const chunk of chunks) {
    if (typeof chunk === "object") all.set(chunk, at);
    else for (let i = 0; i < width; i++) all[at + i] = bytes[chunk + i]!;
    at += sizeOf(chunk);
  }
  return all;
}

function safeInteger(spec: AnyMessageSpec, field: FieldEntry, reader: WireReader): number {
  const value = reader.int64();
  if (!Number.isSafeInteger(value)) {
    throw failure(
      "onnx/invalid-model",
      `onnx: ${spec.name}.${field.key} is ${value}, beyond 2^53; no real model needs that`,
    );
  }
  return value;
}

function wrongWireType(
  spec: AnyMessageSpec,
  field: FieldEntry,
  got: number,
  expected: number,
  reader: WireReader,
): Error {
  return failure(
    "onnx/invalid-model",
    `onnx: ${spec.name}.${field.key} before byte ${reader.position} has wire type ${got}, expected ${expected}`,
  );
}
