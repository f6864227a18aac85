import {
  dequantizeParameters,
  parameterSet,
  parameterView,
  quantizePerChannel,
  writeQuantizedParameters,
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

test("without an earlier version it is the file that devices read already", () => {
  const { bytes, frozen, chain } = quantizeWeightsFile(parameters);
  const channels = parameters.schema
    .filter(({ shape }) => shape.length > 1)
    .map(({ name, shape }) => [name, quantizePerChannel(parameterView(parameters, name), shape, 0)] as const);
  expect(bytes).toEqual(writeQuantizedParameters(parameters, new Map(channels)));
  expect([frozen, chain.startNewChain]).toEqual([false, false]);
});

test("the next version keeps the scales and differs in few bytes, and stays as near to its weights", () => {
  const first = quantizeWeightsFile(parameters);
  const next = moved(1e-5);
  const frozen = quantizeWeightsFile(next, first.bytes);
  const fresh = quantizeWeightsFile(next);
  expect([frozen.frozen, frozen.chain.reasons]).toEqual([true, []]);
  expect(differing(frozen.bytes, first.bytes)).toBeLessThan(0.05);
  expect(differing(frozen.bytes, first.bytes)).toBeLessThan(0.9 * differing(fresh.bytes, first.bytes));
  const back = dequantizeParameters(next.schema, frozen.bytes).values;
  const worst = back.reduce((most, value, i) => Math.max(most, Math.abs(value - next.values[i]!)), 0);
  expect(worst).toBeLessThan(1e-3);
});

test("weights that outgrow the scales begin a new chain, with the reason", () => {
  const first = quantizeWeightsFile(parameters);
  const next = moved(0.5);
  const { bytes, frozen, chain } = quantizeWeightsFile(next, first.bytes);
  expect(frozen).toBe(false);
  expect(chain.reasons.join()).toMatch(/beyond its frozen scale/u);
  expect(bytes).toEqual(quantizeWeightsFile(next).bytes);
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
