import {
  checkSchema,
  elementCount,
  parameterCount,
  parameterSet,
  parameterView,
  requireSameSchema,
  sameSchema,
  schemaDigest,
  tensor,
  withDType,
  type ParameterSchema,
} from "@tributary/tensor";
import { describe, expect, test } from "vitest";

const schema: ParameterSchema = [
  { name: "a", shape: [2, 3] },
  { name: "b", shape: [] },
  { name: "c", shape: [0, 5] },
];
const coded = (code: string): unknown => expect.objectContaining({ code });

describe("parameter sets", () => {
  test("are flat, in schema order, and views share memory", () => {
    const set = parameterSet(schema);
    expect(parameterCount(schema)).toBe(7);
    parameterView(set, "b")[0] = 9;
    expect([...set.values]).toEqual([0, 0, 0, 0, 0, 0, 9]);
    expect(parameterView(set, "c")).toHaveLength(0);
    expect(() => parameterView(set, "d")).toThrow(coded("tensor/missing") as Error);
    expect(() => parameterSet(schema, new Float32Array(6))).toThrow(coded("tensor/shape-mismatch") as Error);
  });

  test.each<[string, ParameterSchema]>([
    ["a name twice", [schema[0]!, schema[0]!]],
    ["no name", [{ name: "", shape: [1] }]],
    ["a negative dimension", [{ name: "x", shape: [-1] }]],
    ["a fractional dimension", [{ name: "x", shape: [0.5] }]],
    ["too many dimensions", [{ name: "x", shape: [1, 1, 1, 1, 1, 1, 1, 1, 1] }]],
    ["too many elements", [{ name: "x", shape: [2 ** 30] }]],
    ["a product beyond 2^53", [{ name: "x", shape: [2 ** 40, 2 ** 40] }]],
  ])("%s: tensor/invalid-schema", (_name, bad) => {
    expect(() => checkSchema(bad)).toThrow(coded("tensor/invalid-schema") as Error);
  });

  test("the digest tells names, shapes and order apart, and is stable", () => {
    expect(schemaDigest(schema)).toBe("f6ac3d7a069206f523f90957cceb10e7bf576ee370980fa38f0ecbe4c7a2e575");
    const variants: ParameterSchema[] = [
      [schema[1]!, schema[0]!, schema[2]!],
      [{ name: "a", shape: [3, 2] }, schema[1]!, schema[2]!],
      [{ name: "A", shape: [2, 3] }, schema[1]!, schema[2]!],
      schema.slice(0, 2),
    ];
    expect(new Set([schema, ...variants].map(schemaDigest)).size).toBe(5);
    for (const variant of variants) expect(sameSchema(schema, variant)).toBe(false);
    expect(sameSchema(schema, structuredClone(schema) as ParameterSchema)).toBe(true);
    expect(() => requireSameSchema(schema, variants[1]!)).toThrow(
      /parameter 0: expected a \[2, 3\], got a \[3, 2\]/,
    );
  });
});

describe("tensors", () => {
  test("check their data", () => {
    expect(tensor("int64", [2], new BigInt64Array(2)).shape).toEqual([2]);
    expect(() => tensor("float32", [2], new Float32Array(3))).toThrow(RangeError);
    expect(() => tensor("float32", [2], new Float64Array(2) as never)).toThrow(TypeError);
    expect(() => tensor("bfloat16" as never, [2], new Uint16Array(2) as never)).toThrow(TypeError);
    expect(() => elementCount([2 ** 30, 2 ** 30])).toThrow(RangeError);
    expect(elementCount([])).toBe(1);
  });

  test("narrow by dtype", () => {
    const t = tensor("float32", [1], new Float32Array([1]));
    expect(withDType(t, "float32").data[0]).toBe(1);
    expect(() => withDType(t, "int32")).toThrow(coded("tensor/dtype-mismatch") as Error);
  });
});
