import { seededRandom } from "@tributary/core";
import { tensor } from "@tributary/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeModel } from "../../src/ir/decode.ts";
import { encodeModel } from "../../src/ir/encode.ts";
import { floatTensor, floatValues } from "../../src/ir/tensor-value.ts";
import { buildDigitsCnn } from "../../src/models/digit-models.ts";
import { compareModels } from "../../src/quantize/compare-models.ts";
import { mergeHistograms } from "../../src/quantize/activation-histogram.ts";
import { gatherHistograms } from "../../src/quantize/int8-static.ts";
import type { QuantizeOptions } from "../../src/quantize/options.ts";
import { quantize } from "../../src/quantize/quantize.ts";
import { ENGINES } from "../support/engines.ts";
import { modelRunner } from "../support/run-model.ts";
import { modelOf, nodeOf } from "../support/small-model.ts";

const model = buildDigitsCnn({ seed: "schemes" });
const random = seededRandom("schemes");
const examples = Array.from({ length: 16 }, () => ({
  image: tensor(
    "float32",
    [1, 1, 28, 28],
    Float32Array.from({ length: 784 }, () => random.next()),
  ),
}));

/** Options, largest relative error of the logits, largest size by that of float32. */
const CASES: readonly (readonly [Omit<QuantizeOptions, "calibration">, number, number])[] = [
  [{ scheme: "float16" }, 1e-3, 0.51],
  [{ scheme: "int8-weights" }, 0.03, 0.27],
  [{ scheme: "int8-weights", symmetric: false }, 0.03, 0.27],
  [{ scheme: "int8-weights", perChannel: false }, 0.03, 0.27],
  [{ scheme: "int8-dynamic" }, 0.03, 0.27],
  [{ scheme: "int8-dynamic", perChannel: true }, 0.03, 0.28],
  [{ scheme: "int8-dynamic", symmetric: true }, 0.03, 0.27],
  [{ scheme: "int8-dynamic", symmetric: false }, 0.03, 0.27],
  [{ scheme: "int8-static" }, 0.05, 0.27],
  [{ scheme: "int8-static", perChannel: true }, 0.05, 0.28],
  [{ scheme: "int8-static", symmetric: true }, 0.05, 0.27],
  [{ scheme: "int8-static", symmetric: false }, 0.05, 0.27],
  [{ scheme: "int4-weights" }, 0.2, 0.17],
  [{ scheme: "int4-weights", int4Form: "dequantize-linear" }, 0.2, 0.17],
  [{ scheme: "int4-weights", symmetric: false }, 0.2, 0.175],
  [{ scheme: "int4-weights", symmetric: false, int4Form: "dequantize-linear" }, 0.2, 0.175],
];

describe.each(ENGINES)("%s", (_, start) => {
  let runner: ReturnType<typeof modelRunner>;
  beforeAll(async () => {
    runner = modelRunner(await start());
  });
  afterAll(() => runner.release());

  test.each(CASES)("%j", async (options, error, size) => {
    const { run } = runner;
    const calibration = { run, examples };
    const made = await quantize(model, { ...options, calibration });
    const again = await quantize(model, { ...options, calibration });
    expect(again.model).toEqual(made.model);
    expect(made.model.length / model.length).toBeLessThan(size);
    const result = await compareModels({ reference: model, candidate: made.model, run, examples });
    expect(result.relativeError).toBeLessThan(error);
    expect(result.rows).toBe(16);
  });
});

test("static ranges come from examples, from histograms, or not at all", async () => {
  await expect(quantize(model, { scheme: "int8-static" })).rejects.toMatchObject({
    code: "onnx/needs-calibration",
    message: expect.stringContaining("int8-weights") as string,
  });
  const calibration = { run: () => Promise.reject(new Error("never run")), examples: [] };
  await expect(quantize(model, { scheme: "int8-static", calibration })).rejects.toMatchObject({
    code: "onnx/needs-calibration",
  });
});

test("histograms from two places make the model that all examples make", async () => {
  const runner = modelRunner(await ENGINES[0][1]());
  const { run } = runner;
  const [here, there] = [examples.slice(0, 5), examples.slice(5)];
  const [a, b] = [
    await gatherHistograms(model, { run, examples: here }),
    await gatherHistograms(model, { run, examples: there }),
  ];
  const histograms = new Map(Array.from(a, ([name, seen]) => [name, mergeHistograms(seen, b.get(name)!)]));
  const options = { scheme: "int8-static", biasCorrection: false } as const;
  const apart = await quantize(model, { ...options, calibration: { histograms } });
  const together = await quantize(model, { ...options, calibration: { run, examples } });
  await runner.release();
  expect(apart.model).toEqual(together.model);
  const frozen = await quantize(model, { ...options, frozenScales: apart.scales });
  expect(frozen.model).toEqual(apart.model);
});

test("what is excluded stays float32", async () => {
  const names = decodeModel(model)
    .graph.initializers.filter(({ dims }) => dims.length === 4)
    .map(({ name }) => name);
  const { weights, model: bytes } = await quantize(model, { scheme: "int8-weights", exclude: names });
  expect(weights.length).toBeGreaterThan(0);
  expect(weights.some(({ name }) => names.includes(name))).toBe(false);
  const kept = decodeModel(bytes).graph.initializers.filter(({ dims }) => dims.length === 4);
  expect(kept.map(({ elementType }) => elementType)).toEqual(names.map(() => "float32"));
});

test("inputs and outputs keep their names, types and shapes", async () => {
  const { graph } = decodeModel(model);
  for (const scheme of ["float16", "int8-weights", "int8-dynamic", "int4-weights"] as const) {
    const made = decodeModel((await quantize(model, { scheme })).model);
    expect(made.graph.inputs).toEqual(graph.inputs);
    expect(made.graph.outputs).toEqual(graph.outputs);
  }
});

test("a model exported in training mode is quantized as inference runs it", async () => {
  const exported = modelOf({
    input: [8],
    output: [4],
    nodes: [
      nodeOf("MatMul", ["x", "first"], ["h"]),
      nodeOf("BatchNormalization", ["h", "scale", "shift", "mean", "variance"], ["n", "m", "v"], {
        training_mode: 1,
      }),
      nodeOf("Constant", [], ["mode"], {
        value: { name: "", elementType: "bool", dims: [], data: Uint8Array.of(1) },
      }),
      nodeOf("Dropout", ["n", "", "mode"], ["kept"]),
      nodeOf("MatMul", ["kept", "last"], ["y"]),
    ],
    weights: { first: [8, 6], scale: [6], shift: [6], mean: [6], variance: [6], last: [6, 4] },
  });
  const decoded = decodeModel(exported);
  const initializers = decoded.graph.initializers.map((tensor) =>
    tensor.name === "variance" ? floatTensor("variance", [6], new Float32Array(6).fill(2)) : tensor,
  );
  const positive = encodeModel({ ...decoded, graph: { ...decoded.graph, initializers } });
  const { nodes } = decodeModel((await quantize(positive, { scheme: "float16" })).model).graph;
  const dropouts = nodes.filter(({ opType }) => opType === "Dropout");
  expect(dropouts.map(({ inputs }) => inputs)).toEqual([[expect.any(String)]]);
  expect(nodes.some(({ opType }) => opType === "BatchNormalization")).toBe(false);
});

test("int4 with zero points fits weights that lie to one side", async () => {
  const decoded = decodeModel(model);
  const initializers = decoded.graph.initializers.map((tensor) =>
    tensor.dims.length < 2
      ? tensor
      : floatTensor(
          tensor.name,
          tensor.dims,
          floatValues(tensor).map((value) => Math.abs(value) + 0.1),
        ),
  );
  const oneSided = encodeModel({ ...decoded, graph: { ...decoded.graph, initializers } });
  const errors = async (symmetric: boolean) =>
    (await quantize(oneSided, { scheme: "int4-weights", symmetric })).weights.map((w) => w.relativeError);
  const [around, fitted] = [await errors(true), await errors(false)];
  expect(fitted.every((error, i) => error < 0.7 * around[i]!)).toBe(true);
});

test.each([
  [{ scheme: "int4-weights", perChannel: false }, TypeError],
  [{ scheme: "int8-dynamic", symmetric: false, perChannel: true }, TypeError],
  [{ scheme: "int7" }, TypeError],
  [{ scheme: "float16", errorLimit: 0 }, RangeError],
  [{ scheme: "int8-static", calibration: { histograms: new Map(), percentile: 40 } }, RangeError],
])("%j is refused", async (options, error) => {
  await expect(quantize(model, options as unknown as QuantizeOptions)).rejects.toThrow(error);
});
