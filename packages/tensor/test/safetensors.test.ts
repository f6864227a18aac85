import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { encodeUtf8 } from "@tributary/core";
import { codeOf } from "@tributary/core/testing";
import {
  allocate,
  elementBytes,
  parameterSet,
  parametersFromSafetensors,
  parametersToSafetensors,
  readSafetensors,
  tensor,
  viewOf,
  writeSafetensors,
  type DType,
  type Tensor,
} from "@tributary/tensor";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const DATA = path.resolve(import.meta.dirname, "../../..", process.env["TRIBUTARY_DATA"] ?? "../shared/data");

const DTYPES: DType[] = [
  "float32",
  "float64",
  "float16",
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "bool",
];
const anyTensor: fc.Arbitrary<Tensor> = fc
  .record({
    dtype: fc.constantFrom(...DTYPES),
    shape: fc.array(fc.nat(4), { maxLength: 4 }),
    fill: fc.uint8Array({ minLength: 4 ** 4 * 8, maxLength: 4 ** 4 * 8 }),
  })
  .map(({ dtype, shape, fill }) => {
    const length = shape.reduce((product, dimension) => product * dimension, 1);
    return tensor(dtype, shape, viewOf(dtype, new Uint8Array(fill).buffer, 0, length));
  });
const anyName = fc
  .oneof(fc.constantFrom("weight", "conv1.bias", "__proto__", "", 'é\n"\\'), fc.string())
  .filter((name) => name !== "__metadata__");
const anyFile = fc.record({
  tensors: fc.uniqueArray(fc.tuple(anyName, anyTensor), { selector: ([name]) => name, maxLength: 6 }),
  metadata: fc.dictionary(fc.string(), fc.string(), { maxKeys: 3, noNullPrototype: true }),
});

/** A file from a header text and data, however wrong. */
function file(header: string, dataBytes = 0, declared = encodeUtf8(header).length): Uint8Array<ArrayBuffer> {
  const json = encodeUtf8(header);
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(declared), true);
  bytes.set(json, 8);
  return bytes;
}

const rawBytes = ({ data }: Tensor): number[] =>
  Array.from(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));

describe("round trip", () => {
  test("every dtype, shape, name and metadata comes back", () => {
    fc.assert(
      fc.property(anyFile, ({ tensors, metadata }) => {
        const back = readSafetensors(writeSafetensors(tensors, metadata));
        expect(back.metadata).toEqual(metadata);
        expect(back.tensors.size).toBe(tensors.length);
        for (const [name, value] of tensors) {
          const got = back.tensors.get(name)!;
          expect({ ...got, data: rawBytes(got) }).toEqual({ ...value, data: rawBytes(value) });
        }
      }),
    );
  });

  test("the bytes depend on content only, not on order", () => {
    fc.assert(
      fc.property(anyFile, ({ tensors, metadata }) => {
        const swapped = Object.fromEntries(Object.entries(metadata).toReversed());
        expect(writeSafetensors(tensors.toReversed(), swapped)).toEqual(writeSafetensors(tensors, metadata));
      }),
    );
  });

  test("data is aligned to its element size", () => {
    fc.assert(
      fc.property(anyFile, ({ tensors }) => {
        const bytes = writeSafetensors(tensors);
        const headerBytes = new DataView(bytes.buffer).getUint32(0, true);
        const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes))) as Record<
          string,
          { data_offsets: number[] }
        >;
        expect(headerBytes % 8).toBe(0);
        for (const [name, { dtype }] of tensors) {
          if (name === "__proto__") continue;
          expect((8 + headerBytes + header[name]!.data_offsets[0]!) % elementBytes(dtype)).toBe(0);
        }
      }),
    );
  });

  test("golden bytes", () => {
    const bytes = writeSafetensors([["a", tensor("float32", [1], new Float32Array([1]))]]);
    expect(new TextDecoder().decode(bytes.subarray(8, 64))).toBe(
      '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  ',
    );
    expect([...bytes.subarray(0, 8), ...bytes.subarray(64)]).toEqual([
      56, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3f,
    ]);
  });
});

describe("hostile input", () => {
  const entry = (fields: string): string => `{"a":{${fields}}}`;
  test.each([
    ["nothing", new Uint8Array(0), "safetensors/truncated"],
    ["a header longer than the file", file("{}", 0, 3), "safetensors/truncated"],
    ["a header above the limit", file("{}", 0, 2 ** 21), "safetensors/header-too-large"],
    ["a header of 2^63 bytes", file("{}", 0, 2 ** 63), "safetensors/header-too-large"],
    ["no JSON", file("{nope}"), "safetensors/invalid-header"],
    ["an array", file("[]"), "safetensors/invalid-header"],
    ["leading space", file(" {}"), "safetensors/invalid-header"],
    ["text after the object", file("{}{}"), "safetensors/invalid-header"],
    ["deep nesting", file(`{"a":${"[".repeat(9999)}${"]".repeat(9999)}}`), "safetensors/invalid-header"],
    ["an unfinished string", file(`{"a`), "safetensors/invalid-header"],
    ["a control character in a string", file(`{"a\n":1}`), "safetensors/invalid-header"],
    ["a missing shape", file(entry(`"dtype":"U8","data_offsets":[0,1]`), 1), "safetensors/invalid-header"],
    [
      "an extra field",
      file(entry(`"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1`), 1),
      "safetensors/invalid-header",
    ],
    [
      "a fractional dimension",
      file(entry(`"dtype":"U8","shape":[1.5],"data_offsets":[0,1]`), 1),
      "safetensors/invalid-header",
    ],
    [
      "a negative dimension",
      file(entry(`"dtype":"U8","shape":[-1],"data_offsets":[0,1]`), 1),
      "safetensors/invalid-header",
    ],
    [
      "an overflowing product",
      file(entry(`"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]`)),
      "safetensors/invalid-header",
    ],
    [
      "BF16",
      file(entry(`"dtype":"BF16","shape":[1],"data_offsets":[0,2]`), 2),
      "safetensors/unsupported-dtype",
    ],
    [
      "a dtype of Object.prototype",
      file(entry(`"dtype":"constructor","shape":[1],"data_offsets":[0,2]`), 2),
      "safetensors/unsupported-dtype",
    ],
    [
      "offsets that do not fit the shape",
      file(entry(`"dtype":"F32","shape":[2],"data_offsets":[0,4]`), 4),
      "safetensors/invalid-offsets",
    ],
    [
      "offsets backwards",
      file(entry(`"dtype":"F32","shape":[1],"data_offsets":[4,0]`), 4),
      "safetensors/invalid-offsets",
    ],
    [
      "data beyond the end",
      file(entry(`"dtype":"F32","shape":[2],"data_offsets":[0,8]`), 4),
      "safetensors/truncated",
    ],
    [
      "data that belongs to no tensor",
      file(entry(`"dtype":"U8","shape":[1],"data_offsets":[0,1]`), 2),
      "safetensors/invalid-offsets",
    ],
    [
      "a gap",
      file(
        `{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`,
        3,
      ),
      "safetensors/invalid-offsets",
    ],
    [
      "an overlap",
      file(
        `{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`,
        3,
      ),
      "safetensors/invalid-offsets",
    ],
    [
      "a name twice",
      file(
        `{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`,
      ),
      "safetensors/duplicate-key",
    ],
    ["metadata that is not text", file(`{"__metadata__":{"a":1}}`), "safetensors/invalid-header"],
    ["metadata that is no object", file(`{"__metadata__":"x"}`), "safetensors/invalid-header"],
  ])("%s", (_name, bytes, code) => {
    expect(codeOf(() => readSafetensors(bytes))).toBe(code);
  });

  test("every truncation of a good file is a named error", () => {
    const bytes = writeSafetensors(
      [
        ["w", tensor("float32", [2, 2], new Float32Array(4))],
        ["b", tensor("uint8", [3], new Uint8Array(3))],
      ],
      { format: "pt" },
    );
    for (let length = 0; length < bytes.length; length++) {
      expect(codeOf(() => readSafetensors(bytes.subarray(0, length)))).toMatch(/^safetensors\//);
    }
  });

  test("flipped bytes never escape as anything but a named error", () => {
    const good = writeSafetensors(
      [
        ["w", tensor("float32", [2, 2], new Float32Array(4))],
        ["b", tensor("uint8", [3], new Uint8Array(3))],
      ],
      { format: "pt" },
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        (flips) => {
          const bytes = good.slice();
          for (const [at, value] of flips) bytes[at] = value;
          expect(codeOf(() => readSafetensors(bytes))).toMatch(/^(safetensors\/|no error)/);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("a metadata key __proto__ is data", () => {
    const { metadata } = readSafetensors(file(`{"__metadata__":{"__proto__":"x"}}`));
    expect(Object.hasOwn(metadata, "__proto__")).toBe(true);
    expect(Object.getPrototypeOf(metadata)).toBe(Object.prototype);
  });

  test("writing a name twice or the reserved one is refused", () => {
    const t = tensor("uint8", [0], allocate("uint8", 0));
    expect(() =>
      writeSafetensors([
        ["a", t],
        ["a", t],
      ]),
    ).toThrow(RangeError);
    expect(() => writeSafetensors([["__metadata__", t]])).toThrow(RangeError);
  });
});

describe("parameters", () => {
  const schema = [
    { name: "fc.weight", shape: [2, 3] },
    { name: "fc.bias", shape: [2] },
  ];
  const set = parameterSet(schema, new Float32Array([1, 2, 3, 4, 5, 6, 7, 8]));

  test("come back bit for bit, in schema order, from a view at any offset", () => {
    const bytes = parametersToSafetensors(set);
    for (let shift = 0; shift < 8; shift++) {
      const shifted = new Uint8Array(bytes.length + shift);
      shifted.set(bytes, shift);
      expect(parametersFromSafetensors(schema, shifted.subarray(shift)).values).toEqual(set.values);
    }
    expect(parametersFromSafetensors(schema, Buffer.from(bytes)).values).toEqual(set.values);
  });

  test.each([
    ["a missing tensor", [...schema, { name: "x", shape: [1] }], "tensor/missing"],
    ["an unexpected tensor", schema.slice(1), "tensor/unexpected"],
    ["another shape", [{ name: "fc.weight", shape: [3, 2] }, schema[1]!], "tensor/shape-mismatch"],
  ])("%s is named", (_name, other, code) => {
    expect(codeOf(() => parametersFromSafetensors(other, parametersToSafetensors(set)))).toBe(code);
  });

  test("another dtype is named", () => {
    const bytes = writeSafetensors([["w", tensor("float64", [1], new Float64Array(1))]]);
    expect(codeOf(() => parametersFromSafetensors([{ name: "w", shape: [1] }], bytes))).toBe(
      "tensor/dtype-mismatch",
    );
  });
});

describe("files of other libraries", () => {
  const t5 = path.join(DATA, "safetensors/tiny_t5/model.safetensors");
  test("a PyTorch model of 47 tensors", (context) => {
    if (!existsSync(t5)) context.skip(`${t5} is absent: set TRIBUTARY_DATA`);
    const { tensors, metadata } = readSafetensors(readFileSync(t5));
    expect(metadata).toEqual({ format: "pt" });
    expect(tensors.size).toBe(47);
    const shared = tensors.get("shared.weight")!;
    expect(shared.dtype).toBe("float32");
    for (const { data } of tensors.values()) {
      expect((data as Float32Array).every((value) => Math.abs(value) < 100)).toBe(true);
    }
    const again = readSafetensors(writeSafetensors(tensors, metadata));
    expect(again.tensors).toEqual(tensors);
  });
});
