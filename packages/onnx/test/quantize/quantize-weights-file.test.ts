import {
  dequantizeParameters,
  parameterSet,
  parameterView,
  quantizedChannels,
  quantizePerChannel,
} from "@tributary/tensor";
import { expect, test } from "vitest";
import { build2nn, quantizeWeightsFile, splitWeights } from "../../src/index.ts";

const { parameters } = splitWeights(build2nn({ seed: "weights file" }));

const moved = (step: number) =>
  parameterSet(
    parameters.schema,
    parameters.values.map((value, i) => value + step * Math.sin(i)),
  );
const differing = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((count, byte, i) => count + (byte === b[i] ? 0 : 1), 0) / a.length;

const worstError = (set: typeof parameters, bytes: Uint8Array): number =>
  dequantizeParameters(set.schema, bytes).values.reduce(
    (most, value, i) => Math.max(most, Math.abs(value - set.values[i]!)),
    0,
  );

test("without an earlier version every channel has a scale of its own, with room to grow", () => {
  const { bytes, newScales, channels } = quantizeWeightsFile(parameters);
  expect([newScales, channels]).toEqual([410, 410]);
  const known = quantizedChannels(parameters.schema, bytes);
  for (const { name, shape } of parameters.schema.filter(({ shape: each }) => each.length > 1)) {
    const tight = quantizePerChannel(parameterView(parameters, name), shape, 0).scales;
    for (const [i, scale] of known.get(name)!.scales.entries())
      expect(scale / tight[i]!).toBeCloseTo(1.125, 6);
  }
});

test("the next version keeps the scales and differs in few bytes, and stays as near to its weights", () => {
  const first = quantizeWeightsFile(parameters);
  const next = moved(1e-5);
  const frozen = quantizeWeightsFile(next, first.bytes);
  const fresh = quantizeWeightsFile(next);
  expect(frozen.newScales).toBe(0);
  expect(differing(frozen.bytes, first.bytes)).toBeLessThan(0.05);
  expect(differing(frozen.bytes, first.bytes)).toBeLessThan(0.9 * differing(fresh.bytes, first.bytes));
  expect(worstError(next, frozen.bytes)).toBeLessThan(1e-3);
});

test("only a channel that outgrows its scale, or hardly uses it, gets another", () => {
  const first = quantizeWeightsFile(parameters);
  const next = parameterSet(parameters.schema, parameters.values.slice());
  const row = (index: number) => parameterView(next, "fc1.weight").subarray(784 * index, 784 * (index + 1));
  const peak = Math.max(...row(3).map(Math.abs));
  row(3)[5] = 1.2 * peak;
  row(7).fill(0);
  row(9).set(row(9).map((value) => value / 3));
  row(11)[5] = 1.1 * Math.max(...row(11).map(Math.abs));
  const second = quantizeWeightsFile(next, first.bytes);
  expect(second.newScales).toBe(2);
  const [before, after] = [first, second].map(
    ({ bytes }) => quantizedChannels(parameters.schema, bytes).get("fc1.weight")!.scales,
  );
  const changed = Array.from(after!, (scale, i) => (scale === before![i] ? [] : [i])).flat();
  expect(changed).toEqual([3, 9]);
});

test("over a long chain no weight is further than three quarters of a step from its integer", () => {
  let { bytes } = quantizeWeightsFile(parameters);
  for (let version = 2; version <= 30; version++) {
    const next = moved(1e-3 * version);
    ({ bytes } = quantizeWeightsFile(next, bytes));
    const scales = [...quantizedChannels(next.schema, bytes).values()].flatMap((each) => [...each.scales]);
    expect(worstError(next, bytes)).toBeLessThanOrEqual(0.7501 * Math.max(...scales));
  }
});

test("values that are not finite are refused, and files of other parameters", () => {
  const bad = moved(0);
  bad.values[3] = Number.NaN;
  expect(() => quantizeWeightsFile(bad)).toThrowError(expect.objectContaining({ code: "tensor/not-finite" }));
  const other = parameterSet([{ name: "w", shape: [2, 2] }]);
  expect(() => quantizeWeightsFile(parameters, quantizeWeightsFile(other).bytes)).toThrowError(
    expect.objectContaining({ code: expect.stringMatching(/^tensor\//u) as string }),
  );
});
