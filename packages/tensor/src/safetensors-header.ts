import {
  decodeUtf8,
  failure,
  parseStrictJson,
  StrictJsonError,
  type ErrorCode,
  type StrictJson,
} from "@tributary/core";
import { elementBytes, type DType } from "./dtype.ts";
import { elementCount } from "./tensor.ts";

/** Names of the format for the element types we hold; BF16, F8 and the like are refused. */
export const SAFETENSORS_DTYPES: Readonly<Record<string, DType>> = {
  F64: "float64",
  F32: "float32",
  F16: "float16",
  I64: "int64",
  U64: "uint64",
  I32: "int32",
  U32: "uint32",
  I16: "int16",
  U16: "uint16",
  I8: "int8",
  U8: "uint8",
  BOOL: "bool",
};

export const METADATA_KEY = "__metadata__";

/** The format allows headers of 100 MB; ours are a thousandth of that. */
export const SAFETENSORS_LIMITS = Object.freeze({ maxHeaderBytes: 1 << 20, maxTensors: 16_384 });

/** Where one tensor lies; offsets are absolute in the file. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  /** In header order. */
  readonly entries: readonly SafetensorsEntry[];
  readonly metadata: Record<string, string>;
}

function bad(code: ErrorCode, message: string, name?: string): Error {
  return failure(
    code,
    `safetensors: ${message}`,
    name === undefined ? {} : { detail: { name: name.slice(0, 200) } },
  );
}

/** Reads and checks the header of a whole file: every byte of data belongs to exactly one tensor. */
export function readSafetensorsHeader(bytes: Uint8Array): SafetensorsHeader {
  if (bytes.length < 8)
    throw bad("safetensors/truncated", `8 bytes of header length expected, got ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = view.getUint32(0, true);
  if (view.getUint32(4, true) !== 0 || headerBytes > SAFETENSORS_LIMITS.maxHeaderBytes) {
    throw bad(
      "safetensors/header-too-large",
      `a header of at most ${SAFETENSORS_LIMITS.maxHeaderBytes} bytes expected`,
    );
  }
  const dataStart = 8 + headerBytes;
  if (dataStart > bytes.length) {
    throw bad(
      "safetensors/truncated",
      `a header of ${headerBytes} bytes expected, ${bytes.length - 8} bytes are there`,
    );
  }
  const document = parseHeader(bytes.subarray(8, dataStart));
  let metadata: Record<string, string> = {};
  const entries: SafetensorsEntry[] = [];
  for (const [name, value] of document) {
    if (name === METADATA_KEY) metadata = readMetadata(value);
    else entries.push(readEntry(name, value, dataStart, bytes.length));
  }
  if (entries.length > SAFETENSORS_LIMITS.maxTensors) {
    throw bad(
      "safetensors/too-many-tensors",
      `at most ${SAFETENSORS_LIMITS.maxTensors} tensors expected, got ${entries.length}`,
    );
  }
  requireCovered(entries, dataStart, bytes.length);
  return { entries, metadata };
}

function parseHeader(bytes: Uint8Array): ReadonlyMap<string, StrictJson> {
  // The format wants "{" as the first byte.
  if (bytes[0] !== 0x7b) throw bad("safetensors/invalid-header", 'the header does not begin with "{"');
  let parsed: StrictJson;
  try {
    parsed = parseStrictJson(decodeUtf8(bytes), 4);
  } catch (error) {
    if (error instanceof StrictJsonError && error.duplicateKey !== undefined) {
      throw bad("safetensors/duplicate-key", error.message, error.duplicateKey);
    }
    throw bad("safetensors/invalid-header", error instanceof Error ? error.message : String(error));
  }
  if (!(parsed instanceof Map)) throw bad("safetensors/invalid-header", "the header is not an object");
  return parsed;
}

function readMetadata(value: StrictJson): Record<string, string> {
  const entries: [string, string][] = [];
  if (!(value instanceof Map)) throw bad("safetensors/invalid-header", `${METADATA_KEY} is not an object`);
  for (const [key, text] of value as ReadonlyMap<string, StrictJson>) {
    if (typeof text !== "string")
      throw bad("safetensors/invalid-header", `${METADATA_KEY}.${key.slice(0, 80)} is not a text`);
    entries.push([key, text]);
  }
  // fromEntries defines own keys, also "__proto__".
  return Object.fromEntries(entries);
}

function readEntry(name: string, value: StrictJson, dataStart: number, fileBytes: number): SafetensorsEntry {
  const shown = JSON.stringify(name.slice(0, 80));
  if (!(value instanceof Map)) throw bad("safetensors/invalid-header", `${shown} is not an object`, name);
  const fields = value as ReadonlyMap<string, StrictJson>;
  const dtypeName = fields.get("dtype");
  if (typeof dtypeName !== "string") throw bad("safetensors/invalid-header", `${shown} has no dtype`, name);
  const dtype = Object.hasOwn(SAFETENSORS_DTYPES, dtypeName) ? SAFETENSORS_DTYPES[dtypeName] : undefined;
  if (dtype === undefined) {
    throw bad(
      "safetensors/unsupported-dtype",
      `${shown} has dtype ${dtypeName.slice(0, 20)}; convert it to F32 or F16 first`,
      name,
    );
  }
  const shape = naturals(fields.get("shape"));
  const offsets = naturals(fields.get("data_offsets"));
  if (shape === undefined || offsets === undefined || offsets.length !== 2 || fields.size !== 3) {
    throw bad("safetensors/invalid-header", `${shown} must have dtype, shape and two data_offsets`, name);
  }
  let length: number;
  try {
    length = elementCount(shape);
  } catch (cause) {
    throw bad("safetensors/invalid-header", `${shown}: ${(cause as Error).message}`, name);
  }
  const [begin, end] = [dataStart + offsets[0]!, dataStart + offsets[1]!];
  if (end < begin || end - begin !== length * elementBytes(dtype)) {
    throw bad(
      "safetensors/invalid-offsets",
      `${shown} has ${length} ${dtype} elements but ${end - begin} bytes`,
      name,
    );
  }
  if (end > fileBytes)
    throw bad("safetensors/truncated", `${shown} ends at byte ${end}, the file at ${fileBytes}`, name);
  return { name, dtype, shape, begin, end };
}

function naturals(value: StrictJson | undefined): readonly number[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const numbers = value as readonly StrictJson[];
  return numbers.every((item) => Number.isSafeInteger(item) && (item as number) >= 0)
    ? (numbers as readonly number[])
    : undefined;
}

function requireCovered(entries: readonly SafetensorsEntry[], dataStart: number, fileBytes: number): void {
  let at = dataStart;
  for (const entry of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (entry.begin !== at) {
      const what = entry.begin < at ? "overlaps the tensor before it" : "leaves a gap before it";
      throw bad(
        "safetensors/invalid-offsets",
        `${JSON.stringify(entry.name.slice(0, 80))} ${what}`,
        entry.name,
      );
    }
    at = entry.end;
  }
  if (at !== fileBytes)
    throw bad("safetensors/invalid-offsets", `${fileBytes - at} bytes after the last tensor belong to none`);
}
