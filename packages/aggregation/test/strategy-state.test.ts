import { decodeState, EMPTY_STATE, encodeState, fedAdam, isEmptyState } from "@tributary/aggregation";
import { codeOf } from "@tributary/core/testing";
import { parameterSet, readSafetensors, tensor, writeSafetensors } from "@tributary/tensor";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const schema = [
  { name: "fc/1.weight", shape: [2, 3] },
  { name: "bias", shape: [2] },
];
const values = fc.float32Array({ minLength: 8, maxLength: 8, noNaN: true });

describe("a state as a file", () => {
  test("comes back to the last bit, and the same state gives the same bytes", () => {
    fc.assert(
      fc.property(values, values, fc.double({ noNaN: true, noDefaultInfinity: true }), (a, b, round) => {
        const state = {
          numbers: { round, beta: 0.1 },
          sets: { momentum: parameterSet(schema, a), variance: parameterSet(schema, b) },
        };
        const bytes = encodeState("mine", state);
        expect(decodeState("mine", schema, bytes)).toEqual({
          ...state,
          numbers: { round: round + 0, beta: 0.1 },
        });
        expect(encodeState("mine", decodeState("mine", schema, bytes))).toEqual(bytes);
      }),
      { seed: 5 },
    );
  });

  test("holds one tensor for each parameter of each set", () => {
    const { tensors } = readSafetensors(encodeState("fedAdam", fedAdam().init(parameterSet(schema))));
    expect([...tensors.keys()].toSorted()).toEqual([
      "momentum/bias",
      "momentum/fc/1.weight",
      "variance/bias",
      "variance/fc/1.weight",
    ]);
  });

  test("may be empty", () => {
    expect(isEmptyState(EMPTY_STATE)).toBe(true);
    expect(isEmptyState(decodeState("fedAvg", schema, encodeState("fedAvg", EMPTY_STATE)))).toBe(true);
  });

  test("is refused when it is of another strategy, model or format", () => {
    const bytes = encodeState("fedAdam", fedAdam().init(parameterSet(schema)));
    const read = (strategy: string, of: typeof schema, file: Uint8Array) =>
      codeOf(() => decodeState(strategy, of, file));
    expect(read("fedYogi", schema, bytes)).toBe("aggregation/invalid-state");
    expect(read("fedAdam", schema.slice(1), bytes)).toBe("aggregation/invalid-state");
    expect(read("fedAdam", [{ name: "bias", shape: [3] }, schema[0]!], bytes)).toBe(
      "aggregation/invalid-state",
    );
    expect(read("fedAdam", schema, bytes.subarray(0, 40))).toMatch(/^safetensors\//);
    for (const numbers of ["", "[]", "null", '{"a":"1"}']) {
      const metadata = { format: "tributary-strategy-state-v1", strategy: "x", numbers };
      expect(read("x", schema, writeSafetensors([], metadata))).toBe("aggregation/invalid-state");
    }
    const stray = writeSafetensors([["momentum/other", tensor("float32", [1], new Float32Array(1))]], {
      format: "tributary-strategy-state-v1",
      strategy: "x",
      numbers: "{}",
    });
    expect(read("x", schema, stray)).toBe("aggregation/invalid-state");
  });

  test("cannot hold what JSON cannot, nor sets whose names would collide", () => {
    expect(() => encodeState("x", { numbers: { a: NaN }, sets: {} })).toThrow(RangeError);
    expect(() => encodeState("x", { numbers: {}, sets: { "a/b": parameterSet(schema) } })).toThrow(
      RangeError,
    );
  });
});
