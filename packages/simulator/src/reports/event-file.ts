import { crc32c } from "@aws-crypto/crc32c";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { concatBytes } from "@tributary/core";
import type { RoundRow } from "../simulate/round-row.ts";

/** One point of several curves. */
export interface ScalarEvent {
  /** Seconds since the epoch. */
  readonly wallTime: number;
  readonly step: number;
  readonly values: Readonly<Record<string, number>>;
}

/**
 * A TensorBoard event file: TFRecords of `tensorflow.Event` messages
 * (tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto).
 */
export function eventFile(startedAt: number, events: readonly ScalarEvent[]): Uint8Array<ArrayBuffer> {
  const version = new BinaryWriter()
    .tag(1, WireType.Bit64)
    .double(startedAt)
    .tag(3, WireType.LengthDelimited)
    .string("brain.Event:2")
    .finish();
  return concatBytes(...[version, ...events.map(eventMessage)].map(tfRecord));
}

/** The curves of a simulation, by round. */
export function roundEvents(startedAtMs: number, rows: readonly RoundRow[]): Uint8Array<ArrayBuffer> {
  const events = rows.map((row): ScalarEvent => {
    const values: Record<string, number> = {};
    const put = (tag: string, value: number | null): void => {
      if (value !== null) values[tag] = value;
    };
    put("held-out/loss", row.loss);
    put("held-out/accuracy", row.accuracy);
    for (const [name, [first, ...others]] of Object.entries(row.metrics)) {
      if (first !== undefined && others.length === 0) put(`held-out/${name}`, first);
    }
    put("training/loss", row.trainLoss);
    put("training/accuracy", row.trainAccuracy);
    for (const name of ["offered", "ready", "reported", "dropouts", "refused"] as const) {
      put(`devices/${name}`, row[name]);
    }
    put("round/staleness", row.staleness);
    put("round/released", row.released);
    if (row.verdict !== null) {
      put("gate/passed", row.verdict.result === "passed" ? 1 : 0);
      for (const name of ["improvement", "lower", "upper"] as const) put(`gate/${name}`, row.verdict[name]);
    }
    put("round/committed", row.phase === "committed" ? 1 : 0);
    put("round/seconds", row.seconds);
    put("round/schedule-seconds", row.scheduleSeconds);
    put("round/selection-seconds", row.selectionSeconds);
    for (const [reason, devices] of Object.entries(row.ineligible)) put(`ineligible/${reason}`, devices);
    put("round/bytes-up", row.bytesUp);
    put("round/bytes-down", row.bytesDown);
    return { wallTime: startedAtMs / 1000 + row.clockSeconds, step: row.round, values };
  });
  return eventFile(startedAtMs / 1000, events);
}

function eventMessage({ wallTime, step, values }: ScalarEvent): Uint8Array {
  const event = new BinaryWriter()
    .tag(1, WireType.Bit64)
    .double(wallTime)
    .tag(2, WireType.Varint)
    .int64(step)
    .tag(5, WireType.LengthDelimited)
    .fork();
  for (const [tag, value] of Object.entries(values)) {
    event
      .tag(1, WireType.LengthDelimited)
      .fork()
      .tag(1, WireType.LengthDelimited)
      .string(tag)
      .tag(2, WireType.Bit32)
      .float(value)
      .join();
  }
  return event.join().finish();
}

/** Length as uint64, its masked CRC, the data, its masked CRC; all little-endian. */
function tfRecord(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const record = new Uint8Array(8 + 4 + data.length + 4);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc(data), true);
  return record;
}

/** tensorflow/core/lib/hash/crc32c.h: a CRC over data that holds CRCs is rotated and shifted. */
function maskedCrc(data: Uint8Array): number {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
