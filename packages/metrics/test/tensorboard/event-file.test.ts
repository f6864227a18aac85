import fc from "fast-check";
import protobufjs from "protobufjs";
import { describe, expect, test } from "vitest";
import {
  eventFile,
  eventFileHead,
  eventRecord,
  maskedCrc,
  readEventFile,
  runBegan,
} from "../../src/tensorboard/index.ts";

/**
 * The messages as TensorFlow's and TensorBoard's schemas publish them (event.proto, summary.proto, histogram.proto, plugins/hparams; `Parameter` is google.protobuf.Value), read by
 * another library than they are written with.
 */
const SCHEMA = `
syntax = "proto3";
message Event { double wall_time = 1; int64 step = 2; oneof what { string file_version = 3; Summary summary = 5; } }
message Summary {
  message Value {
    string tag = 1;
    SummaryMetadata metadata = 9;
    oneof value { float simple_value = 2; HistogramProto histo = 5; }
  }
  repeated Value value = 1;
}
message SummaryMetadata { message PluginData { string plugin_name = 1; bytes content = 2; } PluginData plugin_data = 1; }
message HistogramProto {
  double min = 1; double max = 2; double num = 3; double sum = 4; double sum_squares = 5;
  repeated double bucket_limit = 6 [packed = true]; repeated double bucket = 7 [packed = true];
}
message HParamsPluginData { int32 version = 1; oneof data { SessionStartInfo session_start_info = 3; } }
message SessionStartInfo { map<string, Parameter> hparams = 1; string group_name = 4; double start_time_secs = 5; }
message Parameter { oneof kind { double number_value = 2; string string_value = 3; bool bool_value = 4; } }
`;
const { root } = protobufjs.parse(SCHEMA, { keepCase: true });

interface ReadValue {
  readonly tag: string;
  readonly simple_value?: number;
  readonly histo?: Readonly<Record<string, unknown>>;
  readonly metadata?: {
    readonly plugin_data: { readonly plugin_name: string; readonly content: Uint8Array };
  };
}
interface ReadEvent {
  readonly wall_time?: number;
  readonly step?: number;
  readonly file_version?: string;
  readonly summary?: { readonly value?: readonly ReadValue[] };
}

function decoded(type: string, bytes: Uint8Array): Readonly<Record<string, unknown>> {
  const message = root.lookupType(type);
  return message.toObject(message.decode(bytes), { longs: Number, oneofs: false });
}

/** CRC-32C by its definition, bit by bit (polynomial 0x1EDC6F41, reflected). */
function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

const masked = (data: Uint8Array): number => {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
};

/** Takes TFRecords apart, checking both sums of each. */
function eventsOf(bytes: Uint8Array): ReadEvent[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const events: ReadEvent[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = Number(view.getBigUint64(at, true));
    expect(view.getUint32(at + 8, true)).toBe(masked(bytes.subarray(at, at + 8)));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(view.getUint32(at + 12 + length, true)).toBe(masked(data));
    events.push(decoded("Event", data));
    at += 16 + length;
  }
  return events;
}

describe("the masked CRC-32C", () => {
  // RFC 3720, B.4: the sums of 32 bytes of zeros, of ones, counting up, counting down.
  const counting = Uint8Array.from({ length: 32 }, (_, i) => i);
  test.each([
    [new Uint8Array(32), 0x8a9136aa],
    [new Uint8Array(32).fill(0xff), 0x62a8ab43],
    [counting, 0x46dd794e],
    [counting.toReversed(), 0x113fdb5c],
  ])("is that of RFC 3720, rotated right by 15 bits, plus 0xa282ead8", (data, crc) => {
    expect(crc32c(data)).toBe(crc);
    const rotated = ((crc >>> 15) | (crc << 17)) >>> 0;
    expect(maskedCrc(data)).toBe((rotated + 0xa282ead8) % 2 ** 32);
  });

  test("begins event files as TensorFlow's begin", () => {
    // Every event file begins with a record of 24 bytes, and so with these.
    const head = Buffer.from(eventFileHead(1_700_000_000));
    expect(head.subarray(0, 12).toString("hex")).toBe("1800000000000000a37f4b22");
    expect(head.subarray(21, 36).toString("latin1")).toBe("\x1a\rbrain.Event:2");
  });
});

describe("an event file", () => {
  const value = fc.float({ noNaN: true });
  const event = fc.record({
    wallTime: fc.double({ min: 0, max: 4e9, noNaN: true }),
    step: fc.integer({ min: 1, max: 2 ** 40 }),
    values: fc.dictionary(fc.stringMatching(/^[a-z/-]{1,20}$/), value, { maxKeys: 5 }),
  });

  test("is read back: its form, times, steps and values", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 5 }), (events) => {
        const [head, ...rest] = eventsOf(eventFile(1_700_000_000, events));
        expect(head).toEqual({ wall_time: 1_700_000_000, file_version: "brain.Event:2" });
        expect(
          rest.map(({ wall_time, step, summary }) => ({
            wallTime: wall_time ?? 0,
            step,
            values: Object.fromEntries(
              (summary?.value ?? []).map(({ tag, simple_value }) => [tag, simple_value]),
            ),
          })),
        ).toEqual(events);
      }),
    );
  });

  test("has histograms by their bins", () => {
    const counts = { edges: [0, 1, 2, 4], counts: [0, 3, 0, 5, 2] };
    const record = eventRecord({
      wallTime: 1,
      step: 2,
      values: {},
      histograms: { latency: counts, none: { edges: [0, 1], counts: [0, 0, 0] } },
    });
    expect(eventsOf(record)[0]!.summary!.value).toEqual([
      {
        tag: "latency",
        histo: {
          min: 0,
          max: 4,
          num: 10,
          // Of the bins' middles 0.5, 3 and, for what lies above, the last edge.
          sum: 3 * 0.5 + 5 * 3 + 2 * 4,
          sum_squares: 3 * 0.25 + 5 * 9 + 2 * 16,
          bucket_limit: [1, 2, 4, Number.MAX_VALUE],
          bucket: [3, 0, 5, 2],
        },
      },
    ]);
    expect(() =>
      eventRecord({ wallTime: 1, step: 1, values: {}, histograms: { a: { edges: [0, 1], counts: [1] } } }),
    ).toThrow(RangeError);
  });

  test("says what a run was begun with", () => {
    const parameters = { "local.learningRate": 0.1, strategy: "fedAdam", secure: true };
    const [began] = eventsOf(runBegan(5, parameters));
    const [shown] = began!.summary!.value!;
    expect(shown!.tag).toBe("_hparams_/session_start_info");
    expect(shown!.metadata!.plugin_data.plugin_name).toBe("hparams");
    expect(decoded("HParamsPluginData", shown!.metadata!.plugin_data.content)).toEqual({
      session_start_info: {
        hparams: {
          "local.learningRate": { number_value: 0.1 },
          strategy: { string_value: "fedAdam" },
          secure: { bool_value: true },
        },
        start_time_secs: 5,
      },
    });
  });

  test("that was cut off, or is damaged, ends with its last whole record", () => {
    const events = [1, 2, 7].map((step) => ({ wallTime: step, step, values: { a: step } }));
    const file = eventFile(0, events);
    const [head, one, two] = [eventFileHead(0), ...events.map(eventRecord)].map(({ length }) => length) as [
      number,
      number,
      number,
    ];
    expect(readEventFile(file)).toEqual({ step: 7, sizeBytes: file.length });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: file.length - 1 }), (length) => {
        const { step, sizeBytes } = readEventFile(file.subarray(0, length));
        const whole = [0, head, head + one, head + one + two].findLast((end) => end <= length)!;
        expect(sizeBytes).toBe(whole);
        expect(step).toBe([null, null, 1, 2][[0, head, head + one, head + one + two].indexOf(whole)]);
      }),
    );
    const damaged = Uint8Array.from(file);
    damaged[head + one + 20]! ^= 1;
    expect(readEventFile(damaged)).toEqual({ step: 1, sizeBytes: head + one });
  });
});
