import { decodeModel } from "../../src/ir/decode.ts";
import { encodeModel } from "../../src/ir/encode.ts";
import { floatTensor, floatValues } from "../../src/ir/tensor-value.ts";
import { build2nn } from "../../src/models/digit-models.ts";
import { quantize } from "../../src/quantize/quantize.ts";
import { expect, test } from "vitest";

const model = build2nn({ seed: "chain" });

/** The next version: every weight moved by at most `step` of its tensor's largest. */
function moved(step: number): Uint8Array {
  const decoded = decodeModel(model);
  const initializers = decoded.graph.initializers.map((tensor) => {
    const values = floatValues(tensor);
    const largest = values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    for (let i = 0; i < values.length; i++) values[i]! += step * largest * Math.sin(i);
    return floatTensor(tensor.name, tensor.dims, values);
  });
  return encodeModel({ ...decoded, graph: { ...decoded.graph, initializers } });
}

const differing = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((count, byte, i) => count + (byte === b[i] ? 0 : 1), 0) / a.length;

test("the next version's bytes differ in few places", async () => {
  const first = await quantize(model, { scheme: "int8-weights" });
  const next = moved(0.0005);
  const frozen = await quantize(next, { scheme: "int8-weights", frozenScales: first.scales });
  expect(frozen.model.length).toBe(first.model.length);
  expect(frozen.scales).toEqual(first.scales);
  expect(differing(frozen.model, first.model)).toBeLessThan(0.1);
  expect(frozen.chain).toEqual({ startNewChain: false, reasons: [] });
});

test("a chain ends when weights outgrow its scales", async () => {
  const first = await quantize(model, { scheme: "int8-weights" });
  const { chain } = await quantize(moved(0.4), { scheme: "int8-weights", frozenScales: first.scales });
  expect(chain.startNewChain).toBe(true);
  expect(chain.reasons.join()).toMatch(/beyond its frozen scale/);
});

test("a chain ends when the error is above the limit", async () => {
  const first = await quantize(model, { scheme: "int4-weights" });
  const frozenScales = first.scales;
  const options = { scheme: "int4-weights", frozenScales, errorLimit: 0.01 } as const;
  const { chain } = await quantize(model, options);
  expect(chain.reasons.join()).toMatch(/is off by .* more than 1 %/);
});

test("scales survive JSON", async () => {
  const first = await quantize(model, { scheme: "int8-weights", perChannel: true });
  const frozenScales = JSON.parse(JSON.stringify(first.scales)) as typeof first.scales;
  const again = await quantize(model, { scheme: "int8-weights", frozenScales });
  expect(again.model).toEqual(first.model);
});

test("scales of another scheme, or of another shape, are refused", async () => {
  const { scales } = await quantize(model, { scheme: "int8-weights", perChannel: true });
  await expect(quantize(model, { scheme: "int8-dynamic", frozenScales: scales })).rejects.toThrow(TypeError);
  const [name, scale] = Object.entries(scales.weights)[0]!;
  const short = { ...scales, weights: { [name]: { ...scale, scales: scale.scales.slice(1) } } };
  await expect(quantize(model, { scheme: "int8-weights", frozenScales: short })).rejects.toThrow(/new chain/);
});
