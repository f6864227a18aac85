import { readFileSync } from "node:fs";
import { join } from "node:path";
import { tensor, type Tensor } from "@tributary/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeModel } from "../../src/ir/decode.ts";
import type { Model, TensorValue } from "../../src/ir/model.ts";
import { floatValues } from "../../src/ir/tensor-value.ts";
import { gatherHistograms } from "../../src/quantize/int8-static.ts";
import type { QuantizeOptions } from "../../src/quantize/options.ts";
import { quantize } from "../../src/quantize/quantize.ts";
import { dataSets, filesOf, readTensor, requiredInputs } from "../support/backend.ts";
import { dataFolder } from "../support/data.ts";
import { ENGINES } from "../support/engines.ts";
import { modelRunner } from "../support/run-model.ts";

const models = dataFolder("onnx-models");

/** Float models of other makers that come with an input and what they answer to it. */
const NAMED = [
  "cntk-mnist-8",
  "keras2onnx-helloworld",
  // Half a minute on a processor, which casts every float16.
  ...(process.env["TRIBUTARY_TEST_FULL"] === "1" ? ["keras2onnx-tiny-bert-qa"] : []),
  "keras2onnx-xor-lesson9",
  "pytorch-cnn-mnist",
  "pytorch-mlp-bn-mnist",
  "tf2onnx-nhwc-conv",
];

describe.skipIf(models === undefined).each(ENGINES)("%s", (_, start) => {
  let runner: ReturnType<typeof modelRunner>;
  beforeAll(async () => {
    runner = modelRunner(await start());
  });

  afterAll(() => runner.release());

  test.each(NAMED)("%s answers in every form nearly as it is expected to", async (name) => {
    const bytes = readFileSync(join(models!, name, "model.onnx"));
    const [dataSet] = dataSets(join(models!, name));
    const errorOf = async (options: QuantizeOptions): Promise<number> =>
      errorIn(await runner.run((await quantize(bytes, options)).model, feeds), decoded, dataSet!);
    const decoded = decodeModel(bytes);
    const names = requiredInputs(decoded);
    const feeds = Object.fromEntries(
      filesOf(dataSet!, "input").map((file, i) => [names[i]!, asTensor(readTensor(file))]),
    );
    const histograms = await gatherHistograms(bytes, { run: runner.run, examples: [feeds] });
    const errors = {
      float16: await errorOf({ scheme: "float16", float16Form: "arithmetic" }),
      "int8-dynamic": await errorOf({ scheme: "int8-dynamic" }),
      "int8-static": await errorOf({ scheme: "int8-static", calibration: { histograms } }),
    };
    expect(errors.float16).toBeLessThan(0.005);
    // One of them is so small that eight bits of each weight leave 5.7 %; the others are below 1 %.
    expect(errors["int8-dynamic"]).toBeLessThan(0.06);
    expect(errors["int8-static"]).toBeLessThan(0.06);
  });
});

/** max|a-b| / max|a| over the float32 outputs. */
function errorIn(outputs: Readonly<Record<string, Tensor>>, { graph }: Model, dataSet: string): number {
  let [difference, magnitude] = [0, 0];
  for (const [i, file] of filesOf(dataSet, "output").entries()) {
    const expected = readTensor(file);
    if (expected.elementType !== "float32") continue;
    const got = outputs[graph.outputs[i]!.name]!.data as Float32Array;
    for (const [at, value] of floatValues(expected).entries()) {
      difference = Math.max(difference, Math.abs(value - got[at]!));
      magnitude = Math.max(magnitude, Math.abs(value));
    }
  }
  return difference / magnitude;
}

function asTensor(value: TensorValue): Tensor {
  const { elementType, dims, data } = value;
  if (elementType === "float32") return tensor("float32", dims, floatValues(value));
  const { buffer } = new Uint8Array(data);
  return elementType === "int32"
    ? tensor("int32", dims, new Int32Array(buffer))
    : tensor("int64", dims, new BigInt64Array(buffer));
}
