import { systemClock, TributaryError, type Digest } from "@tributary/core";
import { buildEvaluationGraph, buildLinear, splitWeights } from "@tributary/onnx";
import { tensor, writeSafetensors } from "@tributary/tensor";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openFolderBlobStore } from "../../src/adapters/blob/folder-blob-store.ts";
import type { BlobStore } from "../../src/ports/blob-store.ts";
import type { Evaluator } from "../../src/rounds/evaluation.ts";
import { createEvaluator } from "../../src/rounds/evaluator.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const COUNT = 37;
const onnx = buildLinear({ seed: 3 });
const { parameters } = splitWeights(onnx);
const { model, spec } = buildEvaluationGraph(onnx, { batchSize: 16, loss: "softmax-cross-entropy" });
const pixels = Uint8Array.from({ length: COUNT * 784 }, (_, i) => (i * 37 + (i >> 5)) % 256);
const labels = Int32Array.from({ length: COUNT }, (_, i) => (i * 7) % 10);

let blobs: BlobStore;
let evaluator: Evaluator;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
  blobs = await openFolderBlobStore({ folder: folder.path });
  evaluator = createEvaluator({ blobs, clock: systemClock });
});
afterEach(async () => {
  await evaluator.close();
  await blobs.close();
  await folder.remove();
});

async function store(images: "uint8" | "float32"): Promise<{ graph: Digest; dataset: Digest }> {
  const shape = [COUNT, 1, 28, 28];
  const data =
    images === "uint8"
      ? tensor("uint8", shape, pixels)
      : tensor(
          "float32",
          shape,
          Float32Array.from(pixels, (pixel) => pixel / 255),
        );
  const dataset = await blobs.put(
    writeSafetensors([
      ["images", data],
      ["labels", tensor("int32", [COUNT], labels)],
    ]),
  );
  return { graph: (await blobs.put(model)).digest, dataset: dataset.digest };
}

/** The same, in float64, by hand: logits = W x + b, mean of -log softmax. */
function byHand(): { loss: number; accuracy: number } {
  const [weight, bias] = [parameters.values.subarray(0, 7840), parameters.values.subarray(7840)];
  let lossSum = 0;
  let correct = 0;
  for (let n = 0; n < COUNT; n++) {
    const logits = Array.from({ length: 10 }, (_, c) => {
      let sum = bias[c]!;
      for (let i = 0; i < 784; i++) sum += (weight[c * 784 + i]! * pixels[n * 784 + i]!) / 255;
      return sum;
    });
    const max = Math.max(...logits);
    const normalizer = max + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - max), 0));
    lossSum += normalizer - logits[labels[n]!]!;
    if (logits.indexOf(max) === labels[n]) correct += 1;
  }
  return { loss: lossSum / COUNT, accuracy: correct / COUNT };
}

describe("evaluation in its thread", () => {
  test("measures a model's activations on the rows of a data set", async () => {
    const { dataset } = await store("uint8");
    const inputs = [{ name: "image", dtype: "float32", shape: [-1, 1, 28, 28] }] as const;
    const ranges = await evaluator.activationRanges({ model: onnx, dataset, inputs });
    // A linear model has no activation but its input.
    expect([...ranges]).toEqual([["image", { min: 0, max: 1 }]]);
    const wrong = [{ name: "image", dtype: "float32", shape: [-1, 3, 28, 28] }] as const;
    await expect(evaluator.activationRanges({ model: onnx, dataset, inputs: wrong })).rejects.toMatchObject({
      code: "dataset/mismatch",
    });
  });

  test.each(["uint8", "float32"] as const)(
    "of %s images agrees with the sum by hand, the padded batch included",
    async (images) => {
      const result = await evaluator.evaluate({ ...(await store(images)), spec, values: parameters.values });
      const expected = byHand();
      expect(result.examples).toBe(COUNT);
      expect(result.loss).toBeCloseTo(expected.loss, 5);
      expect(result.accuracy).toBeCloseTo(expected.accuracy, 10);
    },
  );

  test("follows the weights it is given, and several at once", async () => {
    const names = await store("uint8");
    const zero = new Float32Array(parameters.values.length);
    const results = await Promise.all(
      [zero, parameters.values, zero].map((values) => evaluator.evaluate({ ...names, spec, values })),
    );
    expect(results[0]!.loss).toBeCloseTo(Math.log(10), 5);
    expect(results[2]).toEqual(results[0]);
    expect(results[1]!.loss).not.toBeCloseTo(results[0]!.loss, 3);
  });

  test("weights that are not finite, a broken graph and a broken data set are coded errors; the next job works", async () => {
    const names = await store("uint8");
    const bad = Float32Array.from(parameters.values).fill(Number.NaN);
    await expect(evaluator.evaluate({ ...names, spec, values: bad })).rejects.toSatisfy(
      hasCode(/^round\/evaluation-failed/),
    );
    const broken = (await blobs.put(new Uint8Array(64))).digest;
    const { values } = parameters;
    await expect(evaluator.evaluate({ ...names, graph: broken, spec, values })).rejects.toSatisfy(
      hasCode(/^engine\//),
    );
    await expect(evaluator.evaluate({ ...names, dataset: broken, spec, values })).rejects.toSatisfy(
      hasCode(/^safetensors\//),
    );
    expect((await evaluator.evaluate({ ...names, spec, values })).loss).toBeCloseTo(byHand().loss, 5);
  });

  test("closed while it is at work, ends with its batch and fails the rest: a thread cut off then would take the process along", async () => {
    const names = await store("uint8");
    const evaluate = () => evaluator.evaluate({ ...names, spec, values: parameters.values });
    await evaluate();
    const jobs = Promise.allSettled(Array.from({ length: 200 }, evaluate));
    await new Promise((resolve) => setImmediate(resolve));
    await evaluator.close();
    const failed = (await jobs).filter((job) => job.status === "rejected");
    expect(failed.length).toBeGreaterThan(0);
    for (const { reason } of failed)
      expect(reason).toSatisfy(hasCode(/^(core\/closed|round\/evaluation-failed)/));
  });

  test("closes twice, and takes nothing afterwards", async () => {
    const names = await store("uint8");
    await evaluator.evaluate({ ...names, spec, values: parameters.values });
    await Promise.all([evaluator.close(), evaluator.close()]);
    await expect(evaluator.evaluate({ ...names, spec, values: parameters.values })).rejects.toSatisfy(
      hasCode(/^core\/closed/),
    );
  });
});

function hasCode(code: RegExp): (error: unknown) => boolean {
  return (error) => TributaryError.is(error) && code.test(error.code);
}
