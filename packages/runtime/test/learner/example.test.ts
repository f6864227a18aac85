import type { GraphPort } from "@tributary/protocol";
import { tensor } from "@tributary/tensor";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toExample, toKept } from "../../src/learner/example.ts";
import type { LabelledExample } from "../../src/runtime.ts";
import { MAX_EXAMPLE_BYTES, type StoredExample } from "../../src/store/device-store.ts";
import { decodeExample, encodeExample } from "../../src/store/example-codec.ts";
import { decodePages, encodePages } from "../../src/store/example-records.ts";

const port = (name: string, dtype: GraphPort["dtype"], shape: readonly number[]): GraphPort => ({
  name,
  dtype,
  shape,
});
const text = {
  inputs: [port("ids", "int64", [-1, 3]), port("mask", "bool", [-1, 3])],
  outputs: [port("topic", "float32", [-1, 4]), port("score", "float32", [-1, 2])],
};
const image = { inputs: [port("image", "float32", [-1, 4])], outputs: [port("logits", "float32", [-1, 10])] };
const [ids, mask] = [
  [1, 2, 3],
  [true, true, false],
];

describe("examples of several inputs", () => {
  test("are kept in the inputs' element types and order, with labels by output", () => {
    const stored = toExample(text, { mask, ids, label: { score: [0.5, -1], topic: 3 } });
    expect(stored).toEqual({
      inputs: [BigInt64Array.of(1n, 2n, 3n), Uint8Array.of(1, 1, 0)],
      label: { score: Float32Array.of(0.5, -1), topic: 3 },
    });
    expect(toKept(text, stored as StoredExample).inputs).toEqual({
      ids: stored.inputs[0],
      mask: stored.inputs[1],
    });
  });

  test("a label without a name is the first output's", () => {
    expect(toExample(text, { ids, mask, label: 2 }).label).toEqual({ topic: 2 });
    expect(toExample(image, { image: [0, 1, 0, 1], label: 9 }).label).toBe(9);
  });

  test("bytes of a float input stay bytes, as flat values or as a tensor; values are copies", () => {
    const bytes = Uint8Array.of(0, 1, 2, 255);
    const [kept] = toExample(image, { image: bytes, label: 1 }).inputs;
    expect(kept).toEqual(bytes);
    bytes.fill(9);
    expect(kept).toEqual(Uint8Array.of(0, 1, 2, 255));
    const viewed = toExample(image, { image: tensor("uint8", [2, 2], bytes), label: 1 });
    expect(viewed.inputs[0]).toBeInstanceOf(Uint8Array);
  });

  test.each<[string, object, Record<string, unknown>, object]>([
    ["a missing input", text, { ids, label: 0 }, { input: "mask", expected: "bool" }],
    ["an unknown input", text, { ids, mask, idz: ids, label: 0 }, { input: "idz" }],
    ["too few values", text, { ids: [1], mask, label: 0 }, { input: "ids", expected: 3, got: 1 }],
    ["a share", text, { ids: [1, 0.5, 2], mask, label: 0 }, { input: "ids", expected: "int64", got: "0.5" }],
    ["a mask of 2", text, { ids, mask: [1, 1, 2], label: 0 }, { input: "mask", got: "2" }],
    [
      "a tensor of another type",
      text,
      { ids: tensor("int32", [3], Int32Array.of(1, 2, 3)), mask, label: 0 },
      { input: "ids", expected: "int64", got: "int32" },
    ],
    ["not a number", image, { image: [0, 0, Number.NaN, 0], label: 0 }, { input: "image", got: "NaN" }],
    ["a class too many", text, { ids, mask, label: 4 }, { label: "topic", got: "4" }],
    ["too few numbers", text, { ids, mask, label: { score: [1] } }, { label: "score" }],
    ["no label", text, { ids, mask }, { expected: "label" }],
    ["no labels", text, { ids, mask, label: {} }, { got: 0 }],
    ["a text as label", text, { ids, mask, label: { topic: "x" } }, { label: "topic" }],
    [
      "a length that is free",
      { ...text, inputs: [port("ids", "int64", [-1, -1])] },
      { ids, label: 0 },
      { input: "ids", got: "[-1,-1]" },
    ],
    [
      "an input called label",
      { ...image, inputs: [port("label", "float32", [-1, 4])] },
      { label: 0 },
      { input: "label" },
    ],
    [
      "more than an example may take",
      { ...image, inputs: [port("image", "float32", [-1, MAX_EXAMPLE_BYTES / 4 + 1])] },
      { image: new Float32Array(MAX_EXAMPLE_BYTES / 4 + 1), label: 0 },
      { expected: MAX_EXAMPLE_BYTES },
    ],
  ])("%s is refused: what, where, expected, got", (_, ports, example, detail) => {
    expect(() => toExample(ports as typeof text, example as unknown as LabelledExample)).toThrowError(
      expect.objectContaining({ code: "runtime/invalid-example", detail: expect.objectContaining(detail) }),
    );
  });

  test("whatever is kept comes back from its bytes", () => {
    const arrays = fc.oneof(
      fc.float32Array({ noNaN: true, maxLength: 5 }),
      fc.uint8Array({ maxLength: 5 }),
      fc.int32Array({ maxLength: 5 }),
      fc.bigInt64Array({ maxLength: 5 }),
      fc.float64Array({ noNaN: true, maxLength: 5 }),
    );
    const values = fc.oneof(fc.nat(), fc.float32Array({ noNaN: true, minLength: 1, maxLength: 4 }));
    const label = fc.oneof(
      values,
      fc.dictionary(fc.string({ minLength: 1, maxLength: 8, unit: "grapheme" }), values, {
        minKeys: 1,
        maxKeys: 3,
      }),
    );
    const example = fc.record({ inputs: fc.array(arrays, { minLength: 1, maxLength: 4 }), label });
    fc.assert(
      fc.property(example, (each) => {
        expect(decodeExample(encodeExample(each))).toEqual({ ...each });
      }),
      { seed: 5 },
    );
  });

  test("pages come back from their records, the last one torn at any byte", () => {
    const sealed = fc.uint8Array({ minLength: 1, maxLength: 20 }) as fc.Arbitrary<Uint8Array<ArrayBuffer>>;
    fc.assert(
      fc.property(fc.array(sealed, { minLength: 1, maxLength: 4 }), fc.nat(), (bodies, cut) => {
        const pages = bodies.map((each, at) => ({ id: 3 * at + 1, sealed: each }));
        const file = encodePages(pages);
        expect(decodePages(file)).toEqual(pages);
        const last = encodePages(pages.slice(-1)).length;
        expect(decodePages(file.subarray(0, file.length - 1 - (cut % last)))).toEqual(pages.slice(0, -1));
      }),
      { seed: 5 },
    );
  });
});
