import { copyBytes, encodeUtf8, failure } from "@tributary/core";
import { elementBytes, viewOf, type DType, type TensorData } from "./dtype.ts";
import { parameterSet, parameterSlot, type ParameterSchema, type ParameterSet } from "./parameter-set.ts";
import {
  METADATA_KEY,
  readSafetensorsHeader,
  SAFETENSORS_DTYPES,
  SAFETENSORS_LIMITS,
  type SafetensorsEntry,
} from "./safetensors-header.ts";
import { sameShape, tensor, type Tensor } from "./tensor.ts";

// https://github.com/huggingface/safetensors: u64 header length, JSON header, then the data, all little-endian,
// as typed arrays are on every platform we run on.

export interface SafetensorsFile {
  /** In header order; the data is copied out of the file. */
  readonly tensors: Map<string, Tensor>;
  readonly metadata: Record<string, string>;
}

/** Reads a file of any writer; hostile input gives `safetensors/*`. */
export function readSafetensors(bytes: Uint8Array): SafetensorsFile {
  const { entries, metadata } = readSafetensorsHeader(bytes);
  const tensors = new Map<string, Tensor>();
  for (const entry of entries)
    tensors.set(entry.name, tensor(entry.dtype, entry.shape, copyOut(bytes, entry)));
  return { tensors, metadata };
}

function copyOut(bytes: Uint8Array, entry: SafetensorsEntry): TensorData {
  const copy = copyBytes(bytes, entry.begin, entry.end);
  return viewOf(entry.dtype, copy.buffer, 0, copy.length / elementBytes(entry.dtype));
}

const DTYPE_NAMES = Object.fromEntries(
  Object.entries(SAFETENSORS_DTYPES).map(([name, dtype]) => [dtype, name]),
) as Record<DType, string>;

/**
 * Writes the one canonical file of these tensors: larger element types first (so that all are aligned), then by
 * name; metadata by key; header padded with spaces to 8 bytes. The order of the input does not matter.
 */
export function writeSafetensors(
  tensors: Iterable<readonly [string, Tensor]>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const sorted = [...tensors].sort(
    ([nameA, a], [nameB, b]) => elementBytes(b.dtype) - elementBytes(a.dtype) || compareNames(nameA, nameB),
  );
  const header: string[] = [];
  if (metadata !== undefined && Object.keys(metadata).length > 0) {
    const texts = Object.keys(metadata)
      .sort(compareNames)
      .map((key) => `${JSON.stringify(key)}:${JSON.stringify(metadata[key])}`);
    header.push(`"${METADATA_KEY}":{${texts.join(",")}}`);
  }
  let at = 0;
  const seen = new Set<string>();
  for (const [name, value] of sorted) {
    if (name === METADATA_KEY || seen.has(name)) {
      throw new RangeError(
        `writeSafetensors: the name ${JSON.stringify(name)} is ${seen.has(name) ? "given twice" : "reserved"}`,
      );
    }
    seen.add(name);
    const end = at + value.data.byteLength;
    const shape = value.shape.join(",");
    header.push(
      `${JSON.stringify(name)}:{"dtype":"${DTYPE_NAMES[value.dtype]}","shape":[${shape}],"data_offsets":[${at},${end}]}`,
    );
    at = end;
  }
  return assemble(`{${header.join(",")}}`, sorted, at);
}

function assemble(
  header: string,
  sorted: readonly (readonly [string, Tensor])[],
  dataBytes: number,
): Uint8Array<ArrayBuffer> {
  const json = encodeUtf8(header);
  const headerBytes = Math.ceil(json.length / 8) * 8;
  if (headerBytes > SAFETENSORS_LIMITS.maxHeaderBytes || sorted.length > SAFETENSORS_LIMITS.maxTensors) {
    throw failure(
      "safetensors/header-too-large",
      `safetensors: a header of ${headerBytes} bytes for ${sorted.length} tensors exceeds the limits`,
    );
  }
  const file = new Uint8Array(8 + headerBytes + dataBytes);
  new DataView(file.buffer).setUint32(0, headerBytes, true);
  file.set(json, 8);
  file.fill(0x20, 8 + json.length, 8 + headerBytes);
  let at = 8 + headerBytes;
  for (const [, { data }] of sorted) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Weights as safetensors, one float32 tensor per parameter. The same weights give the same bytes. */
export function parametersToSafetensors(set: ParameterSet): Uint8Array<ArrayBuffer> {
  return writeSafetensors(
    set.schema.map(({ name, shape }) => {
      const { offset, length } = parameterSlot(set.schema, name);
      return [name, tensor("float32", shape, set.values.subarray(offset, offset + length))] as const;
    }),
  );
}

/** Weights of exactly this schema; throws `tensor/missing`, `tensor/unexpected`, `tensor/dtype-mismatch`, `tensor/shape-mismatch`. */
export function parametersFromSafetensors(schema: ParameterSchema, bytes: Uint8Array): ParameterSet {
  const byName = new Map(readSafetensorsHeader(bytes).entries.map((entry) => [entry.name, entry]));
  const set = parameterSet(schema);
  const target = new Uint8Array(set.values.buffer);
  for (const { name, shape } of schema) {
    const entry = requireEntry(byName, name, "float32", shape);
    byName.delete(name);
    target.set(bytes.subarray(entry.begin, entry.end), 4 * parameterSlot(schema, name).offset);
  }
  requireNoneLeft(byName);
  return set;
}

/** The named entry with this type and shape. */
export function requireEntry(
  entries: ReadonlyMap<string, SafetensorsEntry>,
  name: string,
  dtype: DType,
  shape: readonly number[],
): SafetensorsEntry {
  const entry = entries.get(name);
  if (entry === undefined)
    throw failure("tensor/missing", `weights: ${JSON.stringify(name)} is missing`, { detail: { name } });
  if (entry.dtype !== dtype) {
    throw failure("tensor/dtype-mismatch", `weights: ${name} must be ${dtype}, got ${entry.dtype}`, {
      detail: { name, expected: dtype, got: entry.dtype },
    });
  }
  if (!sameShape(entry.shape, shape)) {
    throw failure(
      "tensor/shape-mismatch",
      `weights: ${name} must have shape [${shape.join(", ")}], got [${entry.shape.join(", ")}]`,
      {
        detail: { name, expected: shape.join(","), got: entry.shape.join(",") },
      },
    );
  }
  return entry;
}

/** Throws `tensor/unexpected` for an entry the schema does not name. */
export function requireNoneLeft(entries: ReadonlyMap<string, SafetensorsEntry>): void {
  for (const name of entries.keys()) {
    throw failure("tensor/unexpected", `weights: ${JSON.stringify(name)} is not in the schema`, {
      detail: { name: name.slice(0, 200) },
    });
  }
}
