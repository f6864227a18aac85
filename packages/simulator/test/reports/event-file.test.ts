import { crc32c } from "@aws-crypto/crc32c";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { expect, test } from "vitest";
import { roundEvents, roundsCsv, type RoundRow } from "../../src/index.ts";

interface ReadEvent {
  wallTime?: number;
  step?: number;
  version?: string;
  values: Record<string, number>;
}

/** Takes TFRecords apart, as TensorBoard does, checking both sums of each. */
function recordsOf(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const masked = (data: Uint8Array): number => {
    const crc = crc32c(data);
    return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
  };
  const records: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = Number(view.getBigUint64(at, true));
    expect(view.getUint32(at + 8, true)).toBe(masked(bytes.subarray(at, at + 8)));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(view.getUint32(at + 12 + length, true)).toBe(masked(data));
    records.push(data);
    at += 16 + length;
  }
  return records;
}

function eventOf(data: Uint8Array): ReadEvent {
  const event: ReadEvent = { values: {} };
  const reader = new BinaryReader(data);
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === 1) event.wallTime = reader.double();
    else if (field === 2) event.step = Number(reader.int64());
    else if (field === 3) event.version = reader.string();
    else if (field === 5) readSummary(new BinaryReader(reader.bytes()), event.values);
    else reader.skip(wire);
  }
  return event;
}

function readSummary(summary: BinaryReader, into: Record<string, number>): void {
  while (summary.pos < summary.len) {
    expect(summary.tag()).toEqual([1, WireType.LengthDelimited]);
    const value = new BinaryReader(summary.bytes());
    expect(value.tag()).toEqual([1, WireType.LengthDelimited]);
    const tag = value.string();
    expect(value.tag()).toEqual([2, WireType.Bit32]);
    into[tag] = value.float();
  }
}

const ROW = {
  round: 3,
  phase: "committed",
  reason: null,
  version: 4,
  offered: 5,
  ready: 5,
  cohort: 4,
  reported: 3,
  dropouts: 1,
  refused: 0,
  secure: false,
  numExamples: 30,
  trainLoss: 0.5,
  trainAccuracy: null,
  loss: 0.25,
  accuracy: 0.75,
  metrics: { "top-3": [0.5], confusion: [1, 2, 3, 4] },
  declines: {},
  staleness: 2,
  released: 3,
  verdict: { result: "failed", improvement: 0.01, lower: -0.25, upper: 0.04 },
  ineligible: { network: 2, tags: 5 },
  scheduleSeconds: 3600,
  selectionSeconds: null,
  seconds: 2.5,
  clockSeconds: 10,
  bytesUp: 1000,
  bytesDown: 2000,
} as unknown as RoundRow;

test("a round's curves: what is known of it, and no tables", () => {
  const [, event] = recordsOf(roundEvents(1_000, [ROW])).map(eventOf);
  expect(event).toMatchObject({ wallTime: 11, step: 3 });
  expect(event!.values).toMatchObject({
    "held-out/accuracy": 0.75,
    "held-out/top-3": 0.5,
    "devices/dropouts": 1,
    "round/schedule-seconds": 3600,
    "ineligible/tags": 5,
    "gate/passed": 0,
    "gate/lower": -0.25,
    "round/staleness": 2,
  });
  expect(Object.keys(event!.values)).not.toContain("training/accuracy");
  expect(Object.keys(event!.values)).not.toContain("held-out/confusion");
});

test("rounds as CSV: a header, a line a round, nothing where nothing is known", () => {
  const [header, line, end] = roundsCsv([ROW]).split("\r\n");
  const cells = Object.fromEntries(header!.split(",").map((name, i) => [name, line!.split(",")[i]]));
  expect(cells).toMatchObject({
    round: "3",
    reason: "",
    trainAccuracy: "",
    accuracy: "0.75",
    secure: "false",
    selectionSeconds: "",
    ineligible: "7",
    verdict: "failed",
    verdictLower: "-0.25",
  });
  expect(end).toBe("");
});
