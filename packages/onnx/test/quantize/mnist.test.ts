import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeModel } from "../../src/ir/encode.ts";
import { compareModels } from "../../src/quantize/compare-models.ts";
import { inferenceForm } from "../../src/quantize/inference-form.ts";
import { QUANTIZATION_SCHEMES } from "../../src/quantize/options.ts";
import { quantize } from "../../src/quantize/quantize.ts";
import { dataFolder } from "../support/data.ts";
import { ENGINES } from "../support/engines.ts";
import { readMnist, type Digits } from "../support/mnist.ts";
import { modelRunner } from "../support/run-model.ts";

const models = dataFolder("onnx-models");
const digits = dataFolder("datasets/mnist");
/** Fewer where it only has to be shown that the other engine agrees. */
const EXAMPLES = { "ort-node": 1_000, "ort-wasm": 500 } as const;

/** The float model, its input, and all that onnxruntime's Python tools made of it. */
const MODELS = [
  [
    "pytorch-cnn-mnist",
    "0",
    [1, 1, 28, 28],
    ["pytorch-cnn-mnist-qdq-u8s8", "pytorch-cnn-mnist-qdq-s8s8-perchannel", "pytorch-cnn-mnist-dynamic-u8"],
  ],
  [
    "pytorch-mlp-bn-mnist",
    "network_input",
    [1, 784],
    [
      "pytorch-mlp-bn-mnist-qdq-u8s8",
      "pytorch-mlp-bn-mnist-qoperator-u8s8-perchannel",
      "pytorch-mlp-bn-mnist-qoperator-u8u8",
    ],
  ],
] as const;
/** Images more or less that so few cannot tell apart. */
const TIED_IMAGES = 2;

const load = (name: string): Uint8Array => new Uint8Array(readFileSync(join(models!, name, "model.onnx")));

describe.skipIf(models === undefined || digits === undefined).each(ENGINES)("%s", (engine, start) => {
  const count = EXAMPLES[engine];
  let runner: ReturnType<typeof modelRunner>;
  let train: Digits;
  let held: Digits;
  beforeAll(async () => {
    runner = modelRunner(await start());
    train = readMnist(digits!, "train");
    held = readMnist(digits!, "t10k");
  });
  afterAll(() => runner.release());

  test.each(MODELS)(
    "%s is as accurate as onnxruntime's own, and smaller",
    async (name, input, shape, rivals) => {
      const { run } = runner;
      const reference = load(name);
      const examples = held.feeds(input, shape, 0, count);
      const labels = held.labels.subarray(0, count);
      const compare = (candidate: Uint8Array) =>
        compareModels({ reference, candidate, run, examples, labels });
      const calibration = { run, examples: train.feeds(input, shape, 0, 40) };

      const own = {
        "int8-static": (await quantize(reference, { scheme: "int8-static", calibration })).model,
        "int8-dynamic": (await quantize(reference, { scheme: "int8-dynamic" })).model,
      };
      const ours = {
        "int8-static": await compare(own["int8-static"]),
        "int8-dynamic": await compare(own["int8-dynamic"]),
      };
      expect(ours["int8-static"].accuracy!.dropPoints).toBeLessThanOrEqual(0.3);
      expect(own["int8-static"].length / reference.length).toBeLessThanOrEqual(0.27);
      for (const rival of rivals) {
        const kind = rival.includes("dynamic") ? "int8-dynamic" : "int8-static";
        const [file, theirs] = [load(rival), await compare(load(rival))];
        expect(own[kind].length, rival).toBeLessThan(file.length);
        expect(ours[kind].accuracy!.dropPoints, rival).toBeLessThanOrEqual(
          theirs.accuracy!.dropPoints + (TIED_IMAGES * 100) / count,
        );
        expect(ours[kind].relativeError, rival).toBeLessThanOrEqual(1.05 * theirs.relativeError);
      }

      const small = await quantize(reference, { scheme: "int4-weights", int4Form: "dequantize-linear" });
      expect((await compare(small.model)).accuracy!.dropPoints).toBeLessThanOrEqual(1);
      expect(small.model.length / reference.length).toBeLessThanOrEqual(0.17);
    },
    90_000,
  );

  const forms: readonly (readonly [string, string, readonly number[]])[] = [
    ...MODELS.map(([name, input, shape]) => [name, input, shape] as const),
    ["cntk-mnist-8", "Input3", [1, 1, 28, 28]],
  ];
  test.each(forms)("%s computes the same in inference form", async (name, input, shape) => {
    const reference = load(name);
    const candidate = encodeModel(inferenceForm(reference));
    const examples = held.feeds(input, shape, 0, 50);
    const { relativeError } = await compareModels({ reference, candidate, run: runner.run, examples });
    expect(relativeError).toBeLessThan(1e-5);
  });

  test.each(QUANTIZATION_SCHEMES)(
    "%s reaches weights and biases that CNTK wrote in other shapes",
    async (scheme) => {
      const { run } = runner;
      const reference = load("cntk-mnist-8");
      const calibration = { run, examples: train.feeds("Input3", [1, 1, 28, 28], 0, 20) };
      const { model, weights } = await quantize(reference, { scheme, calibration });
      expect(weights.filter(({ name }) => !name.endsWith(".flat"))).toHaveLength(3);
      const examples = held.feeds("Input3", [1, 1, 28, 28], 0, 200);
      const { top1Agreement } = await compareModels({ reference, candidate: model, run, examples });
      expect(top1Agreement).toBeGreaterThan(0.98);
    },
  );
});
