import { TributaryError } from "@tributary/core";
import { codeOf } from "@tributary/core/testing";
import { describe, expect, test } from "vitest";
import { decodeModel, readModel } from "../../src/ir/decode.ts";
import { encodeModel } from "../../src/ir/encode.ts";
import { ModelSpec, type GraphProto } from "../../src/proto/onnx-messages.ts";
import { writeModel } from "../../src/ir/write-model.ts";
import { build2nn } from "../../src/models/digit-models.ts";
import { WireWriter } from "../../src/proto/wire-writer.ts";
import { writeMessage } from "../../src/proto/write-message.ts";

function file(graph: GraphProto): Uint8Array {
  return writeMessage(ModelSpec, { irVersion: 8, opsetImports: [{ version: 17 }], graph });
}

function external(entries: Record<string, string>): Uint8Array {
  const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
  return file({ initializers: [{ name: "w", dims: [2], dataType: 1, dataLocation: 1, externalData }] });
}

describe("external data", () => {
  test("comes as a view on the other file, which is read once", async () => {
    const weights = new Float32Array([0, 1, 2, 3, 4, 5, 6, 7]);
    const bytes = new Uint8Array(weights.buffer);
    const tensor = (name: string, offset: number) => ({
      name,
      dims: [2],
      dataType: 1,
      dataLocation: 1,
      externalData: [
        { key: "location", value: "weights/model.onnx.data" },
        { key: "offset", value: String(offset) },
        { key: "length", value: "8" },
      ],
    });
    const read: string[] = [];
    const model = await readModel(file({ initializers: [tensor("a", 8), tensor("b", 16)] }), (location) => {
      read.push(location);
      return bytes;
    });
    expect(read).toEqual(["weights/model.onnx.data"]);
    const [a, b] = model.graph.initializers;
    expect(a!.data.buffer).toBe(bytes.buffer);
    expect(new Float32Array(a!.data.slice().buffer)).toEqual(weights.subarray(2, 4));
    // Written, it is one file.
    expect(decodeModel(encodeModel(model)).graph.initializers[1]!.data).toEqual(b!.data);
  });

  test("is written as views beside the model, page by page, and read again", async () => {
    const model = decodeModel(build2nn({ seed: "external" }));
    const externalData = { location: "2nn.onnx.data", smallestBytes: 1000 };
    const written = writeModel(model, { externalData });
    const { initializers } = model.graph;
    const outside = initializers.filter(({ data }) => data.length >= 1000);
    expect(outside.length).toBeGreaterThan(1);
    expect(written.externalData.filter((part) => outside.some(({ data }) => data === part))).toHaveLength(
      outside.length,
    );
    const data = Uint8Array.from(written.externalData.flatMap((part) => [...part]));
    expect(written.model.length).toBeLessThan(10_000);
    expect(codeOf(() => decodeModel(written.model))).toBe("onnx/external-data");
    const again = await readModel(written.model, (location) => {
      expect(location).toBe("2nn.onnx.data");
      return data;
    });
    expect(encodeModel(again)).toEqual(encodeModel(model));
    expect(
      again.graph.initializers.every(({ data: view }) => view.byteOffset % 4096 === 0 || view.length < 1000),
    ).toBe(true);
    expect(writeModel(model)).toEqual({ model: encodeModel(model), externalData: [] });
    expect(() => writeModel(model, { externalData: { location: "../up.data" } })).toThrow(TypeError);
  });

  test.each([
    "../secret",
    "a/../../secret",
    "/etc/passwd",
    String.raw`..\secret`,
    "C:/secret",
    "file:///etc/passwd",
    "",
    "a//b",
    ".",
    "a\0b",
    "%2e%2e/secret",
    "x".repeat(2000),
  ])("the location %j is refused before anything is read", async (location) => {
    const read = readModel(external({ location }), () => {
      throw new Error("read");
    });
    const error: unknown = await read.catch((caught: unknown) => caught);
    expect(TributaryError.is(error) && error.code).toBe("onnx/external-data");
    expect((error as Error).message).toContain('"w"');
  });

  test.each([
    { offset: "-1" },
    { offset: "99" },
    { length: "99" },
    { length: "1e3" },
    { offset: "9".repeat(30) },
  ])("%j of a file of 16 bytes is refused", async (part) => {
    const read = readModel(external({ location: "w", ...part }), () => new Uint8Array(16));
    await expect(read).rejects.toMatchObject({ code: "onnx/external-data" });
  });

  test("a part of the wrong size is refused", async () => {
    const read = readModel(external({ location: "w", length: "12" }), () => new Uint8Array(16));
    await expect(read).rejects.toMatchObject({ code: "onnx/invalid-model" });
  });
});

/** Numbers as a packed field. */
function varints(numbers: Iterable<number>): Uint8Array {
  const writer = new WireWriter();
  for (const number of numbers) writer.varint(number);
  return writer.finish();
}

describe("element types", () => {
  // Code in TensorProto.DataType, and the bytes of three elements.
  test.each([
    ["float16", 10, 6],
    ["bfloat16", 16, 6],
    ["float8e4m3fn", 17, 3],
    ["float8e4m3fnuz", 18, 3],
    ["float8e5m2", 19, 3],
    ["float8e5m2fnuz", 20, 3],
    ["uint4", 21, 2],
    ["int4", 22, 2],
    ["float4e2m1", 23, 2],
    ["complex128", 15, 48],
  ])("%s is carried through unchanged", (elementType, dataType, length) => {
    const rawData = Uint8Array.from({ length }, (_, i) => 0x91 + i);
    const model = decodeModel(file({ initializers: [{ name: "w", dims: [3], dataType, rawData }] }));
    expect(model.graph.initializers[0]).toMatchObject({ elementType, data: rawData });
    const again = decodeModel(encodeModel(model)).graph.initializers[0]!;
    expect(again.data).toEqual(rawData);
    // Packed into int32_data it is the same, but for those that have fields of their own.
    if (elementType === "complex128") return;
    const wide = new Uint16Array(rawData.slice().buffer, 0, rawData.length >> 1);
    const int32Data = varints(length === 6 ? wide : rawData);
    const packed = decodeModel(file({ initializers: [{ name: "w", dims: [3], dataType, int32Data }] }));
    expect(packed.graph.initializers[0]!.data).toEqual(rawData);
  });

  test("sparse tensors are refused, as initializers and as constants", () => {
    const sparse = Uint8Array.of(8, 1);
    expect(codeOf(() => decodeModel(file({ sparseInitializers: [sparse] })))).toBe("onnx/unsupported-dtype");
    const attributes = [{ name: "sparse_value", type: 11, sparseTensor: sparse }];
    const node = { opType: "Constant", name: "c", outputs: ["y"], attributes };
    const bytes = file({ nodes: [node] });
    expect(codeOf(() => decodeModel(bytes))).toBe("onnx/unsupported-dtype");
    expect(() => decodeModel(bytes)).toThrowError(/Constant "c", attribute sparse_value/u);
  });
});
