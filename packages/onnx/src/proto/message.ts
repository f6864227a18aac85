import { failure, TributaryError } from "@tributary/core";
import { WIRE, WireReader } from "./wire-reader.ts";

/**
 * How one field is carried. `int` is a number (the value must be a safe integer), `bigint` a signed
 * int64, `floats` and `doubles` are packed little-endian bytes kept as bytes.
 */
export type ScalarKind = "string" | "bytes" | "int" | "bigint" | "float" | "floats" | "doubles";

export interface FieldSpec {
  readonly number: number;
  readonly kind: ScalarKind | (() => AnyMessageSpec);
  readonly repeated?: boolean;
  /** Written packed; both forms are read. */
  readonly packed?: boolean;
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
   * Messages and list entries together; a file gets at most 4 000 000 and one more for every 4 of its
   * bytes, of which 300 000 and one for every 16 bytes may be messages or views. @defaultValue 20 000 000
   */
  readonly maxItems: number;
}

export const PROTO_LIMITS: ProtoLimits = Object.freeze({
  maxBytes: 2 ** 30,
  maxDepth: 64,
  maxItems: 20_000_000,
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
  const size = bytes.length;
  const budget: Budget = {
    items: Math.min(limits.maxItems, 4_000_000 + size / 4),
    objects: Math.min(limits.maxItems, 300_000 + size / 16),
    path: [],
  };
  // Views of a Node Buffer would be Buffers, whose slice does not copy.
  const reader = new WireReader(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  try {
    return readInto(spec, reader, limits.maxDepth, budget) as T;
  } catch (error) {
    if (!TributaryError.is(error) || budget.path.length === 0) throw error;
    const path = budget.path.slice(0, SHOWN_PATH).join(".");
    throw failure(error.code, `${error.message} (in ${path})`, { cause: error, detail: { path } });
  }
}

/** Longest field path that an error shows. */
const SHOWN_PATH = 12;

interface Budget {
  items: number;
  /** What costs a hundred bytes and more in memory, however few in the file. */
  objects: number;
  /** Where reading is, `graph.nodes[3].attributes[0]`; what is left of it after an error tells the place. */
  readonly path: string[];
}

function readInto(spec: AnyMessageSpec, reader: WireReader, depth: number, budget: Budget): Raw {
  if (depth === 0) {
    throw failure("onnx/too-large", `onnx: messages nested too deeply at byte ${reader.position}`);
  }
  const table = tableOf(spec);
  const message: Raw = {};
  const unknown: Uint8Array[] = [];
  let unknownFrom = -1;
  let unknownTo = -1;
  budget.objects -= 1;
  while (!reader.done) {
    const start = reader.position;
    const { number, wireType } = reader.tag();
    const field = table.get(number);
    budget.items -= 1;
    if (field === undefined) {
      reader.skip(wireType);
      // Neighbours are kept as one piece.
      if (start === unknownTo) unknown.pop();
      else {
        unknownFrom = start;
        budget.objects -= 1;
      }
      unknownTo = reader.position;
      unknown.push(reader.bytes.subarray(unknownFrom, unknownTo));
    } else {
      readField(spec, field, message, reader, wireType, depth, budget);
    }
    if (budget.items < 0 || budget.objects < 0) {
      throw failure("onnx/too-large", `onnx: too many items, stopped at byte ${start}`);
    }
  }
  for (const { key, kind } of table.values()) {
    if (kind !== "floats" && kind !== "doubles") continue;
    if (message[key] !== undefined) message[key] = joined(message[key] as Uint8Array[]);
  }
  if (unknown.length > 0) message.unknown = unknown;
  return message;
}

function readField(
  spec: AnyMessageSpec,
  field: FieldEntry,
  message: Raw,
  reader: WireReader,
  wireType: number,
  depth: number,
  budget: Budget,
): void {
  const { key, kind } = field;
  if (kind === "floats" || kind === "doubles") {
    const chunks = (message[key] ??= []) as Uint8Array[];
    chunks.push(packedBytes(spec, field, reader, wireType));
    budget.objects -= 1;
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
    const inner = new WireReader(reader.bytes, start, end);
    const innerType = kind === "float" ? WIRE.fixed32 : WIRE.varint;
    while (!inner.done) {
      list.push(readValue(spec, field, inner, innerType, depth, budget));
      budget.items -= 1;
      if (budget.items < 0) return;
    }
    return;
  }
  if (kind === "bytes") budget.objects -= 1;
  list.push(readValue(spec, field, reader, wireType, depth, budget, list.length));
}

function readValue(
  spec: AnyMessageSpec,
  field: FieldEntry,
  reader: WireReader,
  wireType: number,
  depth: number,
  budget: Budget,
  index?: number,
): unknown {
  const { kind } = field;
  const expected =
    kind === "int" || kind === "bigint" ? WIRE.varint : kind === "float" ? WIRE.fixed32 : WIRE.bytes;
  if (wireType !== expected) throw wrongWireType(spec, field, wireType, expected, reader);
  switch (kind) {
    case "string":
      return reader.text();
    case "bytes":
      return reader.payload();
    case "float":
      return reader.float();
    case "bigint":
      return BigInt.asIntN(64, reader.varint());
    case "int":
      return safeInteger(spec, field, BigInt.asIntN(64, reader.varint()));
    case "floats":
    case "doubles":
      throw new TypeError(`${spec.name}.${field.key} is packed`);
    default: {
      const [start, end] = reader.range();
      budget.path.push(index === undefined ? field.key : `${field.key}[${index}]`);
      const message = readInto(kind(), new WireReader(reader.bytes, start, end), depth - 1, budget);
      budget.path.pop();
      return message;
    }
  }
}

/** Packed (one payload) or not (one number a field) floats and doubles, as their bytes. */
function packedBytes(
  spec: AnyMessageSpec,
  field: FieldEntry,
  reader: WireReader,
  wireType: number,
): Uint8Array {
  const width = field.kind === "floats" ? 4 : 8;
  const single = width === 4 ? WIRE.fixed32 : WIRE.fixed64;
  if (wireType === single) {
    const start = reader.position;
    reader.skip(single);
    return reader.bytes.subarray(start, start + width);
  }
  if (wireType !== WIRE.bytes) throw wrongWireType(spec, field, wireType, WIRE.bytes, reader);
  const payload = reader.payload();
  if (payload.length % width !== 0) {
    throw failure(
      "onnx/invalid-model",
      `onnx: ${spec.name}.${field.key} has ${payload.length} bytes, not a multiple of ${width}`,
    );
  }
  return payload;
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const [only] = chunks;
  if (only !== undefined && chunks.length === 1) return only;
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

function safeInteger(spec: AnyMessageSpec, field: FieldEntry, value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) {
    throw failure(
      "onnx/invalid-model",
      `onnx: ${spec.name}.${field.key} is ${value}, beyond 2^53; no real model needs that`,
    );
  }
  return number;
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
