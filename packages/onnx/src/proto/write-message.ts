import type { AnyMessageSpec, FieldEntry, MessageSpec, Preserved, Raw } from "./message.ts";
import { tableOf } from "./message.ts";
import { WIRE } from "./wire-reader.ts";
import { WireWriter } from "./wire-writer.ts";

const utf8 = new TextEncoder();

/** Lengths of messages, which stand in front of them. */
type Sizes = Map<object, number>;

/**
 * Writes a message: known fields by ascending number, then the preserved unknown ones. Lengths are found
 * first, so that weights are copied once, into the result.
 */
export function writeMessage<T extends Preserved>(spec: MessageSpec<T>, message: T): Uint8Array<ArrayBuffer> {
  const sizes: Sizes = new Map();
  const writer = new WireWriter(measure(spec, message as Raw, sizes), true);
  writeInto(spec, message as Raw, writer, sizes);
  return writer.finish();
}

function varintSize(value: number | bigint): number {
  if (typeof value === "number" && value >= 0 && value < 2 ** 28) {
    return value < 2 ** 7 ? 1 : value < 2 ** 14 ? 2 : value < 2 ** 21 ? 3 : 4;
  }
  let rest = BigInt.asUintN(64, BigInt(value)) >> 7n;
  let size = 1;
  for (; rest > 0n; rest >>= 7n) size += 1;
  return size;
}

function delimited(length: number): number {
  return varintSize(length) + length;
}

function measure(spec: AnyMessageSpec, message: Raw, sizes: Sizes): number {
  let size = 0;
  for (const [number, field] of tableOf(spec)) {
    const value = message[field.key];
    if (value === undefined) continue;
    const tag = varintSize(number * 8);
    if (field.repeated !== true) {
      size += tag + measureValue(field, value, sizes);
    } else {
      for (const item of value as readonly unknown[]) size += tag + measureValue(field, item, sizes);
    }
  }
  for (const raw of message.unknown ?? []) size += raw.length;
  return size;
}

function measureValue({ kind }: FieldEntry, value: unknown, sizes: Sizes): number {
  switch (kind) {
    case "string":
      return delimited(utf8.encode(value as string).length);
    case "bytes":
    case "floats":
    case "doubles":
    case "varints":
    case "longs":
      return delimited((value as Uint8Array).length);
    case "float":
      return 4;
    case "int":
    case "bigint":
      return varintSize(value as number | bigint);
    default: {
      const inner = measure(kind(), value as Raw, sizes);
      sizes.set(value as Raw, inner);
      return delimited(inner);
    }
  }
}

function writeInto(spec: AnyMessageSpec, message: Raw, writer: WireWriter, sizes: Sizes): void {
  for (const field of tableOf(spec).values()) {
    const value = message[field.key];
    if (value === undefined) continue;
    if (field.repeated !== true) {
      writeValue(field, value, writer, sizes);
    } else {
      for (const item of value as readonly unknown[]) writeValue(field, item, writer, sizes);
    }
  }
  for (const raw of message.unknown ?? []) writer.raw(raw);
}

function writeValue(field: FieldEntry, value: unknown, writer: WireWriter, sizes: Sizes): void {
  const { number, kind } = field;
  switch (kind) {
    case "string":
      writer.textField(number, value as string);
      return;
    case "bytes":
    case "floats":
    case "doubles":
    case "varints":
    case "longs":
      writer.bytesField(number, value as Uint8Array);
      return;
    case "float":
      writer.tag(number, WIRE.fixed32);
      writer.float(value as number);
      return;
    case "int":
    case "bigint":
      writer.tag(number, WIRE.varint);
      writer.varint(value as number | bigint);
      return;
    default:
      writer.tag(number, WIRE.bytes);
      writer.varint(sizes.get(value as Raw)!);
      writeInto(kind(), value as Raw, writer, sizes);
  }
}
