import type { ErrorCode } from "@tributary/core";
import { codeOf } from "@tributary/core/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildDigitsCnn, buildLinear, decodeModel, encodeModel, PROTO_LIMITS } from "../../src/index.ts";
import { WireWriter } from "../../src/proto/wire-writer.ts";
import { WIRE } from "../../src/proto/wire-reader.ts";

/** Reading must end in a model or in a coded error of this area, whatever the bytes. */
function expectCoded(bytes: Uint8Array): void {
  const code = codeOf(() => decodeModel(bytes));
  expect(code === "no error" || code.startsWith("onnx/")).toBe(true);
}

const small = decodeModel(buildLinear({ seed: "fuzz" }));
/** A complete model of a few hundred bytes: the weights are cut to one row. */
const model = encodeModel({
  ...small,
  graph: {
    ...small.graph,
    initializers: small.graph.initializers.map((tensor) => ({
      ...tensor,
      dims: [1],
      data: tensor.data.slice(0, 4),
    })),
  },
});

function message(write: (writer: WireWriter) => void): Uint8Array {
  const writer = new WireWriter();
  write(writer);
  return writer.finish();
}

function nested(depth: number): Uint8Array {
  // Model.graph(7) { node(1) { attribute(5) { g(6) { node(1) … } } } }
  let inner = new Uint8Array(0);
  const path = [6, 5, 1];
  for (let i = 0; i < depth; i += 1) {
    const body = inner;
    inner = new Uint8Array(message((writer) => writer.bytesField(path[i % 3]!, body)));
  }
  return message((writer) => writer.bytesField(7, inner));
}

describe("hostile files", () => {
  test("every truncation is a coded error or a shorter valid file", () => {
    for (let length = 0; length < model.length; length += 1) expectCoded(model.subarray(0, length));
  });

  test("any change of any byte is a coded error or another valid file", () => {
    fc.assert(
      fc.property(fc.nat(model.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        expectCoded(model.with(at, model[at]! ^ mask));
      }),
      { seed: 7, numRuns: 3000 },
    );
  });

  test("random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => expectCoded(bytes)),
      { seed: 11, numRuns: 3000 },
    );
  });

  test("pieces of files glued together", () => {
    const piece = fc
      .tuple(fc.nat(model.length), fc.nat(60))
      .map(([start, length]) => model.subarray(start, start + length));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
        expectCoded(Uint8Array.from(pieces.flatMap((bytes) => [...bytes])));
      }),
      { seed: 13, numRuns: 2000 },
    );
  });

  const cases: [string, Uint8Array, ErrorCode][] = [
    ["an empty file", new Uint8Array(0), "onnx/invalid-model"],
    ["text", new TextEncoder().encode("<!doctype html><title>404</title>"), "onnx/invalid-model"],
    ["a length beyond the file", Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f), "onnx/truncated"],
    ["a length of 2^64", Uint8Array.of(0x3a, ...Array.from({ length: 9 }, () => 0xff), 1), "onnx/truncated"],
    [
      "a varint of 11 bytes",
      Uint8Array.of(8, ...Array.from({ length: 10 }, () => 0x80), 1),
      "onnx/invalid-model",
    ],
    ["a varint that does not end", Uint8Array.of(8, 0x80, 0x80), "onnx/truncated"],
    ["field number 0", Uint8Array.of(0x02, 0), "onnx/invalid-model"],
    ["a group", Uint8Array.of(0x0b, 0x0c), "onnx/invalid-model"],
    ["a graph that is a number", Uint8Array.of(0x38, 1), "onnx/invalid-model"],
    [
      "a name that is not UTF-8",
      message((w) => w.bytesField(2, Uint8Array.of(0xc3, 0x28))),
      "onnx/invalid-model",
    ],
    [
      "two graphs",
      message((w) => [1, 2].forEach(() => w.bytesField(7, new Uint8Array(0)))),
      "onnx/invalid-model",
    ],
    ["subgraphs without end", nested(300), "onnx/too-large"],
  ];
  test.each(cases)("%s", (_, bytes, code) => {
    expect(codeOf(() => decodeModel(bytes))).toBe(code);
  });

  function tensorFile(write: (writer: WireWriter) => void): Uint8Array {
    const tensor = message(write);
    const graph = message((writer) => writer.bytesField(5, tensor));
    return message((writer) => writer.bytesField(7, graph));
  }
  const int = (writer: WireWriter, field: number, value: number | bigint): void => {
    writer.tag(field, WIRE.varint);
    writer.varint(value);
  };
  const tensors: [string, (writer: WireWriter) => void, ErrorCode][] = [
    ["a negative size", (w) => (int(w, 1, -1), int(w, 2, 1)), "onnx/invalid-model"],
    ["a size beyond 2^53", (w) => (int(w, 1, 2n ** 60n), int(w, 2, 1)), "onnx/invalid-model"],
    [
      "sizes whose product overflows",
      (w) => ([1, 1, 1].forEach(() => int(w, 1, 2 ** 30)), int(w, 2, 1)),
      "onnx/invalid-model",
    ],
    [
      "more elements than data",
      (w) => (int(w, 1, 1000), int(w, 2, 1), w.bytesField(9, new Uint8Array(8))),
      "onnx/invalid-model",
    ],
    ["an unknown element type", (w) => (int(w, 1, 0), int(w, 2, 99)), "onnx/invalid-model"],
    ["external data", (w) => (int(w, 1, 1), int(w, 2, 1), int(w, 14, 1)), "onnx/external-data"],
  ];
  test.each(tensors)("a tensor with %s", (_, write, code) => {
    expect(codeOf(() => decodeModel(tensorFile(write)))).toBe(code);
  });

  test("more than the limits allow", () => {
    expect(codeOf(() => decodeModel(model, { ...PROTO_LIMITS, maxBytes: 100 }))).toBe("onnx/too-large");
    expect(codeOf(() => decodeModel(model, { ...PROTO_LIMITS, structureBytes: 0 }))).toBe("onnx/too-large");
  });

  test("many tiny unpacked floats are read in linear time", () => {
    const count = 200_000;
    const bytes = tensorFile((writer) => {
      int(writer, 1, count);
      int(writer, 2, 1);
      for (let i = 0; i < count; i += 1) {
        writer.tag(4, WIRE.fixed32);
        writer.float(i);
      }
    });
    const [tensor] = decodeModel(bytes).graph.initializers;
    expect(tensor!.data.length).toBe(4 * count);
  });
});

describe("what the subset does not interpret", () => {
  test("unknown fields come back", () => {
    const bytes = buildDigitsCnn({ seed: 1 });
    const extra = message((writer) => writer.textField(999, "from the future"));
    const longer = new Uint8Array([...bytes, ...extra]);
    expect(encodeModel(decodeModel(longer))).toEqual(longer);
  });
});
