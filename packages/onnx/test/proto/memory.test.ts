import { TributaryError } from "@tributary/core";
import { describe, expect, test } from "vitest";
import { decodeModel, describeModel, encodeModel } from "../../src/index.ts";
import { readMessage } from "../../src/proto/message.ts";
import { ModelSpec } from "../../src/proto/onnx-messages.ts";
import { WireWriter } from "../../src/proto/wire-writer.ts";
import { cpuMs, retainedBytes } from "../support/usage.ts";

// Files of which every few bytes ask for an object: read or refused within a second of computing, and whatever is
// read takes less than four times the file.

const SIZE = 4_000_000;
const SLOWEST_MS = 1000;

/** Field numbers from the file inwards: a graph is field 7 of the model, a node field 1 of the graph. */
type Wrap = readonly number[];

function fileOf(body: Uint8Array, wrap: Wrap): Uint8Array {
  let bytes = body;
  for (const field of wrap.toReversed()) {
    const writer = new WireWriter(bytes.length + 16);
    writer.bytesField(field, bytes);
    bytes = writer.finish();
  }
  return bytes;
}

/** `count` times the same fields, behind them a preserved field that fills the file up to SIZE. */
function padded(unit: readonly number[], count: number, wrap: Wrap): Uint8Array {
  const repeated = new Uint8Array(count * unit.length);
  for (let i = 0; i < unit.length; i += 1)
    for (let j = i; j < repeated.length; j += unit.length) repeated[j] = unit[i]!;
  const file = fileOf(repeated, wrap);
  const writer = new WireWriter(SIZE + 16);
  writer.raw(file);
  if (file.length < SIZE) writer.bytesField(999, new Uint8Array(SIZE - file.length));
  return writer.finish();
}

const errorOf = (run: () => unknown): TributaryError | undefined => {
  try {
    run();
    return undefined;
  } catch (error) {
    if (TributaryError.is(error)) return error;
    throw error;
  }
};

const A = 0x41;
const CASES: readonly (readonly [string, readonly number[], Wrap, string | undefined])[] = [
  ["empty nodes", [0x0a, 0], [7], "graph.nodes["],
  ["nodes of one letter", [0x0a, 3, 0x22, 1, A], [7], "graph.nodes["],
  ["empty initializers", [0x2a, 0], [7], "graph.initializers["],
  [
    "value infos with sizes",
    [0x6a, 10, 0x12, 8, 0x0a, 6, 0x12, 4, 0x0a, 0, 0x0a, 0],
    [7],
    "graph.valueInfo[",
  ],
  ["attributes of a node", [0x2a, 0], [7, 1], "graph.nodes[0].attributes["],
  ["inputs of a node", [0x0a, 1, A], [7, 1], "graph.nodes[0]"],
  ["integers of an attribute", [1], [7, 1, 5, 8], "graph.nodes[0].attributes[0]"],
  ["floats of an attribute", [0x3d, 0, 0, 0, 0], [7, 1, 5], "graph.nodes[0].attributes[0]"],
  ["sizes of a tensor", [0x08, 1], [7, 5], "graph.initializers[0]"],
  ["strings of a tensor", [0x32, 0], [7, 5], "graph.initializers[0]"],
  ["64-bit integers of a tensor", [1], [7, 5, 7], "graph.initializers[0]"],
  ["functions", [0xca, 0x01, 3, 0x0a, 1, A], [], "functions["],
  ["known and unknown fields in turn", [0x08, 1, 0x78, 1], [], undefined],
  ["a number over and over", [0x08, 1], [], undefined],
  ["a text over and over", [0x12, 1, A], [], undefined],
];

describe.each(CASES)("4 MB of %s", (_, unit, wrap, place) => {
  const most = Math.floor((SIZE - 64) / unit.length);
  test("are refused or read in bounded time, by name", () => {
    const bytes = padded(unit, most, wrap);
    let error: TributaryError | undefined;
    expect(cpuMs(() => (error = errorOf(() => decodeModel(bytes))))).toBeLessThan(SLOWEST_MS);
    expect(error?.code).toMatch(/^onnx\//u);
    if (place !== undefined) expect(error!.detail["path"]).toContain(place);
    if (place?.startsWith("graph.nodes[0]") === true) expect(error!.message).toContain("nodes[0]");
    expect(cpuMs(() => void errorOf(() => describeModel(bytes)))).toBeLessThan(SLOWEST_MS);
  });

  test("take less than four times the file where as many are read as may be", () => {
    const refused = errorOf(() => readMessage(ModelSpec, padded(unit, most, wrap)));
    const byte = refused?.code === "onnx/too-large" ? (refused.detail["byte"] as number) : SIZE;
    // A packed payload is refused as a whole: a third of it is not.
    const read = byte > SIZE - 100 && refused?.code === "onnx/too-large" ? byte / 3 : byte - 2_000;
    const bytes = padded(unit, Math.floor(read / unit.length), wrap);
    expect(errorOf(() => readMessage(ModelSpec, bytes))?.code).not.toBe("onnx/too-large");
    const used = retainedBytes(() => {
      const message = readMessage(ModelSpec, bytes);
      // The message is still there while the model is made of it.
      return [message, errorOf(() => decodeModel(bytes)) ?? decodeModel(bytes)];
    });
    expect(used).toBeLessThan(4 * SIZE);
  });
});

test("a large file is read without a copy of its weights and written with one", () => {
  const size = 32_000_000;
  const weights = {
    name: "w",
    elementType: "float32" as const,
    dims: [size / 4],
    data: new Uint8Array(size),
  };
  const bytes = encodeModel({
    irVersion: 8,
    producerName: "",
    producerVersion: "",
    domain: "",
    modelVersion: 0,
    opsetImports: [{ domain: "", version: 17 }],
    metadata: [],
    graph: { name: "g", nodes: [], initializers: [weights], inputs: [], outputs: [], valueInfo: [] },
  });
  expect(bytes.buffer.byteLength).toBe(bytes.length);
  expect(retainedBytes(() => decodeModel(bytes))).toBeLessThan(0.05 * size);
  const model = decodeModel(bytes);
  expect(model.graph.initializers[0]!.data.buffer).toBe(bytes.buffer);
  expect(retainedBytes(() => encodeModel(model))).toBeLessThan(1.1 * size);
});
