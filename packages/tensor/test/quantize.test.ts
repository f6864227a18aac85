import { seededRandom, TributaryError } from "@tributary/core";
import {
  dequantizeParameters,
  dequantizePerChannel,
  parameterSet,
  parameterView,
  parametersToSafetensors,
  quantizePerChannel,
  readSafetensors,
  tensor,
  writeQuantizedParameters,
  writeSafetensors,
  type ParameterSet,
} from "@tributary/tensor";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

function quantizeParameters(set: ParameterSet): Uint8Array<ArrayBuffer> {
  const channels = set.schema
    .filter(({ shape }) => shape.length > 1)
    .map(({ name, shape }) => [name, quantizePerChannel(parameterView(set, name), shape, 0)] as const);
  return writeQuantizedParameters(set, new Map(channels));
}

const values = fc.float32Array({ minLength: 24, maxLength: 24, noNaN: true, noDefaultInfinity: true });

describe("int8 per channel", () => {
  test("every value is off by at most half a scale of its channel, on any axis", () => {
    fc.assert(
      fc.property(values, fc.constantFrom(0, 1, 2), (input, axis) => {
        const shape = [2, 3, 4];
        const quantized = quantizePerChannel(input, shape, axis);
        expect(quantized.scales).toHaveLength(shape[axis]!);
        const back = dequantizePerChannel(quantized, shape, axis);
        const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
        for (let i = 0; i < input.length; i++) {
          const scale = quantized.scales[Math.floor(i / inner) % shape[axis]!]!;
          expect(scale).toBeGreaterThan(0);
          expect(Math.abs(quantized.values[i]!)).toBeLessThanOrEqual(127);
          expect(Math.abs(back[i]! - input[i]!)).toBeLessThanOrEqual(scale * 0.5 * (1 + 1e-5));
        }
      }),
    );
  });

  test("golden: half goes to even, the largest value is met, zeros stay zeros", () => {
    const { values: q, scales } = quantizePerChannel(
      new Float32Array([127, 0.5, 1.5, -2.5, 0, 0, 0, 0, -254, 1, 3, 254]),
      [3, 4],
      0,
    );
    expect([...scales]).toEqual([1, 1, 2]);
    expect([...q]).toEqual([127, 0, 2, -2, 0, 0, 0, 0, -127, 0, 2, 127]);
    const largest = new Float32Array([-3.4028234663852886e38]);
    expect(Number.isFinite(dequantizePerChannel(quantizePerChannel(largest, [1], 0), [1], 0)[0])).toBe(true);
    expect(quantizePerChannel(new Float32Array([1e-45]), [1], 0).values[0]).toBe(0);
  });

  test("quantizing what was dequantized changes nothing", () => {
    fc.assert(
      fc.property(values, (input) => {
        const first = quantizePerChannel(input, [4, 6], 0);
        const second = quantizePerChannel(dequantizePerChannel(first, [4, 6], 0), [4, 6], 0);
        expect(second.values).toEqual(first.values);
      }),
    );
  });

  test.each([NaN, Infinity, -Infinity])("%s is refused", (bad) => {
    expect(() => quantizePerChannel(new Float32Array([1, bad]), [2], 0)).toThrow(
      expect.objectContaining({ code: "tensor/not-finite" }),
    );
  });

  test("a wrong axis, shape or number of scales is the caller's mistake", () => {
    expect(() => quantizePerChannel(new Float32Array(4), [2, 2], 2)).toThrow(RangeError);
    expect(() => quantizePerChannel(new Float32Array(4), [2, 3], 0)).toThrow(RangeError);
    expect(() =>
      dequantizePerChannel({ values: new Int8Array(4), scales: new Float32Array(3) }, [2, 2], 0),
    ).toThrow(RangeError);
  });
});

describe("a quantized weights file", () => {
  const schema = [
    { name: "conv.weight", shape: [8, 1, 5, 5] },
    { name: "conv.bias", shape: [8] },
    { name: "fc.weight", shape: [100, 200] },
    { name: "fc.bias", shape: [100] },
  ];
  const random = seededRandom("weights");
  const set = parameterSet(
    schema,
    Float32Array.from({ length: 200 + 8 + 20_000 + 100 }, () => random.normal() * 0.1),
  );

  test("keeps vectors exact and matrices within half a step", () => {
    const back = dequantizeParameters(schema, quantizeParameters(set));
    expect(parameterView(back, "fc.bias")).toEqual(parameterView(set, "fc.bias"));
    const [got, wanted] = [parameterView(back, "fc.weight"), parameterView(set, "fc.weight")];
    for (let row = 0; row < 100; row++) {
      const channel = wanted.subarray(row * 200, row * 200 + 200);
      const step = Math.max(...channel.map(Math.abs)) / 127;
      for (let i = 0; i < 200; i++)
        expect(Math.abs(got[row * 200 + i]! - channel[i]!)).toBeLessThanOrEqual(step * 0.50001);
    }
  });

  test("is deterministic and about a quarter of the size", () => {
    const bytes = quantizeParameters(set);
    expect(quantizeParameters(parameterSet(schema, set.values.slice()))).toEqual(bytes);
    expect(bytes.length / parametersToSafetensors(set).length).toBeLessThan(0.28);
    const { tensors, metadata } = readSafetensors(bytes);
    expect(metadata).toEqual({ "tributary.scheme": "int8-per-channel" });
    expect(tensors.get("conv.weight")?.dtype).toBe("int8");
    expect(tensors.get("conv.weight.scale")?.shape).toEqual([8]);
    expect(tensors.get("conv.bias")?.dtype).toBe("float32");
  });

  test.each([
    ["plain float32 weights", () => parametersToSafetensors(set), "tensor/invalid-quantization"],
    [
      "a scale of zero",
      () =>
        writeSafetensors(
          [
            ["w", tensor("int8", [1, 1], new Int8Array(1))],
            ["w.scale", tensor("float32", [1], new Float32Array(1))],
          ],
          { "tributary.scheme": "int8-per-channel" },
        ),
      "tensor/invalid-quantization",
    ],
    [
      "missing scales",
      () =>
        writeSafetensors([["w", tensor("int8", [1, 1], new Int8Array(1))]], {
          "tributary.scheme": "int8-per-channel",
        }),
      "tensor/missing",
    ],
  ])("%s: a named error", (_name, make, code) => {
    expect(() => dequantizeParameters([{ name: "w", shape: [1, 1] }], make())).toThrow(
      expect.objectContaining({ code }),
    );
  });

  test("a parameter that takes the name of another's scales is refused", () => {
    const clash = parameterSet([
      { name: "w", shape: [1, 1] },
      { name: "w.scale", shape: [1] },
    ]);
    expect(() => quantizeParameters(clash)).toThrow(TributaryError);
  });
});
