import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { concatBytes } from "@tributary/core";
import { histogramBytes, type HistogramCounts } from "./histogram-message.ts";
import { readTfRecords, tfRecord } from "./tf-record.ts";

/** One step of several curves. */
export interface TensorboardEvent {
  /** Seconds since the epoch. */
  readonly wallTime: number;
  readonly step: number;
  /** By tag; the part before the first `/` is the group that it is shown in. */
  readonly values: Readonly<Record<string, number>>;
  readonly histograms?: Readonly<Record<string, HistogramCounts>>;
}

/** What an event file begins with: the version of its form. */
export function eventFileHead(startedAt: number): Uint8Array<ArrayBuffer> {
  const version = new BinaryWriter()
    .tag(1, WireType.Bit64)
    .double(startedAt)
    .tag(3, WireType.LengthDelimited)
    .string("brain.Event:2")
    .finish();
  return tfRecord(version);
}

/** One event, to be appended to a file: a `tensorflow.Event` (tensorflow/core/util/event.proto) as a TFRecord. */
export function eventRecord(event: TensorboardEvent): Uint8Array<ArrayBuffer> {
  const { values, histograms = {} } = event;
  const summary = new BinaryWriter();
  for (const [tag, value] of Object.entries(values)) {
    summaryValue(summary, tag).tag(2, WireType.Bit32).float(value).join();
  }
  for (const [tag, counts] of Object.entries(histograms)) {
    const bytes = histogramBytes(counts);
    if (bytes !== undefined) summaryValue(summary, tag).tag(5, WireType.LengthDelimited).bytes(bytes).join();
  }
  return summaryRecord(event, summary);
}

/** A whole file. */
export function eventFile(startedAt: number, events: readonly TensorboardEvent[]): Uint8Array<ArrayBuffer> {
  return concatBytes(eventFileHead(startedAt), ...events.map(eventRecord));
}

/** A record of a summary (tensorflow/core/framework/summary.proto) at a step. */
export function summaryRecord(
  { wallTime, step }: Pick<TensorboardEvent, "wallTime" | "step">,
  summary: BinaryWriter,
): Uint8Array<ArrayBuffer> {
  const event = new BinaryWriter()
    .tag(1, WireType.Bit64)
    .double(wallTime)
    .tag(2, WireType.Varint)
    .int64(step)
    .tag(5, WireType.LengthDelimited)
    .bytes(summary.finish());
  return tfRecord(event.finish());
}

/** Begins a value of a summary; the caller adds what it is and joins. */
export function summaryValue(summary: BinaryWriter, tag: string): BinaryWriter {
  return summary.tag(1, WireType.LengthDelimited).fork().tag(1, WireType.LengthDelimited).string(tag);
}

/** What an event file holds, for whoever appends to it. */
export interface EventFileEnd {
  /** Its highest step; null: none. */
  readonly step: number | null;
  /** Up to the end of its last whole record: what follows was cut off while it was written. */
  readonly sizeBytes: number;
}

/** Reads an event file up to its last whole record. */
export function readEventFile(bytes: Uint8Array): EventFileEnd {
  let step: number | null = null;
  let sizeBytes = 0;
  for (const { data, end } of readTfRecords(bytes)) {
    sizeBytes = end;
    const found = stepOf(data);
    if (found !== undefined) step = Math.max(step ?? 0, found);
  }
  return { step, sizeBytes };
}

/** Undefined where the event is none of a curve. */
function stepOf(event: Uint8Array): number | undefined {
  const reader = new BinaryReader(event);
  let step: number | undefined;
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === 2) step = Number(reader.int64());
    else reader.skip(wire);
  }
  return step;
}
