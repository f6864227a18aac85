import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "@tributary/core";
import { createTfjsEngine } from "@tributary/engine/tfjs";
import { buildDigitsCnn, buildLinear, splitWeights } from "@tributary/onnx";
import type { ModelHandle, Runtime } from "@tributary/runtime";
import { createRuntime } from "@tributary/runtime/node";
import { parameterView, tensor, type Tensor } from "@tributary/tensor";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startSite, type Site } from "../fixtures/site.ts";
import { buildTfjsModel, tfjsModelAnswer } from "../fixtures/tfjs-model.ts";

const PIXELS = 784;
const linear = buildLinear({ seed: "explain" });
const { parameters } = splitWeights(linear);
const [kernel] = parameters.schema.filter(({ shape }) => shape.length === 2);
const weights = parameterView(parameters, kernel!.name);
/** Of a pixel for a class. */
const weightOf = (pixel: number, digit: number): number => weights[digit * PIXELS + pixel]!;

let dataDir: string;
let site: Site;
let runtime: Runtime;
let lines: ModelHandle;
let digits: ModelHandle;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tributary-explain-"));
  site = await startSite();
  await site.repository.releaseModel("lines", linear, 2, { explained: true });
  await site.repository.releaseModel("cnn", buildDigitsCnn({ seed: "explain" }), 2, {
    explained: true,
    labels: Array.from({ length: 10 }, (_, digit) => `digit ${digit}`),
  });
  await site.repository.releaseModel("plain", linear);
  await site.repository.releaseModel("dense", buildTfjsModel());
  const tfjs = await createTfjsEngine();
  runtime = await createRuntime({
    coordinator: site.url,
    trust: { root: site.repository.root },
    dataDir,
    tfjs,
  });
  lines = await runtime.model("lines", { variant: "float32" });
  digits = await runtime.model("cnn", { variant: "float32" });
});
afterAll(async () => {
  await runtime.close();
  await site.close();
  await rm(dataDir, { recursive: true, force: true });
});

const picture = (seed: number): Float32Array =>
  Float32Array.from({ length: PIXELS }, (_, i) => ((i * 7 + seed) % 11) / 11);
const sumOf = ({ data }: Tensor): number => Array.from(data, Number).reduce((sum, value) => sum + value, 0);

function expectValues(got: Tensor, wanted: (pixel: number) => number): void {
  expect(got).toMatchObject({ dtype: "float32", shape: [1, 1, 28, 28] });
  for (const [i, value] of got.data.entries()) expect(Number(value)).toBeCloseTo(wanted(i), 4);
}

describe("of a linear model", () => {
  const x = picture(3);

  test("integrated gradients are each pixel's share of the score, exactly", async () => {
    const { attributions, score, baselineScore, completenessError, target, method } = await lines.explain(
      { image: x },
      { target: 4, steps: 1 },
    );
    expect([target, method]).toEqual([4, "integrated-gradients"]);
    expectValues(attributions["image"]!, (i) => x[i]! * weightOf(i, 4));
    expect(sumOf(attributions["image"]!)).toBeCloseTo(score - baselineScore!, 3);
    expect(completenessError).toBeCloseTo(0, 3);
    const baseline = { image: picture(5) };
    const other = await lines.explain({ image: x }, { target: 4, baseline });
    expectValues(other.attributions["image"]!, (i) => (x[i]! - baseline.image[i]!) * weightOf(i, 4));
  });

  test("saliency is how steep the score is", async () => {
    const { attributions, target } = await lines.explain({ image: x }, { method: "saliency" });
    expect(target).toBe((await lines.run({ image: x })).classes[0]);
    expectValues(attributions["image"]!, (i) => Math.abs(weightOf(i, target)));
  });

  test("occlusion is what the score loses, and needs no gradients", async () => {
    const plain = await runtime.model("plain", { variant: "float32" });
    const { attributions, score } = await plain.explain(
      { image: x },
      { method: "occlusion", target: 2, window: 1 },
    );
    expectValues(attributions["image"]!, (i) => x[i]! * weightOf(i, 2));
    expect(score).toBeCloseTo(Number((await plain.run({ image: x })).outputs["logits"]!.data[2]), 5);
    for (const method of ["saliency", "integrated-gradients"] as const) {
      await expect(plain.explain({ image: x }, { method })).rejects.toMatchObject({
        code: "runtime/not-explainable",
        message: expect.stringContaining("occlusion") as string,
      });
    }
    await plain.close();
  });
});

describe("of a convolutional network", () => {
  const images = fc.nat().map((seed) => {
    const random = seededRandom(`image ${seed}`);
    return Float32Array.from({ length: PIXELS }, () => random.next());
  });

  test("attributions sum to what the score grew from the baseline on, the closer the more steps", async () => {
    await fc.assert(
      fc.asyncProperty(images, images, fc.nat({ max: 9 }), async (image, baseline, target) => {
        const errorAt = async (steps: number): Promise<number> => {
          const answer = await digits.explain({ image }, { target, steps, baseline: { image: baseline } });
          const values = answer.attributions["image"]!;
          const error = sumOf(values) - (answer.score - answer.baselineScore!);
          expect(error).toBeCloseTo(answer.completenessError!, 4);
          return Math.abs(error) / sumOf({ ...values, data: (values.data as Float32Array).map(Math.abs) });
        };
        // Between the kinks of its Relus and MaxPools the network is linear: a step across one is a little off.
        expect(await errorAt(8)).toBeLessThan(0.02);
        expect(await errorAt(256)).toBeLessThan(0.001);
      }),
      { numRuns: 10, seed: 11 },
    );
  });

  test("an input that is its baseline explains nothing", async () => {
    const image = picture(1);
    const { attributions } = await digits.explain({ image }, { baseline: { image } });
    expectValues(attributions["image"]!, () => 0);
  });

  test("occlusion of a corner of black changes nothing, as there is nothing", async () => {
    const image = picture(1).map((value, i) => (i % 28 < 8 && i < 28 * 8 ? 0 : value));
    const { attributions, label, target } = await digits.explain({ image }, { method: "occlusion" });
    expect(label).toBe(`digit ${target}`);
    expect(attributions["image"]!.data[0]).toBe(0);
    expect(sumOf(attributions["image"]!)).not.toBe(0);
  });
});

test("a model of TensorFlow.js is explained by occlusion", async () => {
  const dense = await runtime.model("dense", { variant: "float32" });
  const x = [1, 2, 3, 4];
  const { attributions } = await dense.explain({ y_input: x }, { method: "occlusion", target: 0 });
  const whole = tfjsModelAnswer(x)[0]!;
  const falls = x.map((_, i) => whole - tfjsModelAnswer(x.with(i, 0))[0]!);
  expect(Array.from(attributions["y_input"]!.data, Number)).toEqual(
    falls.map((fall) => expect.closeTo(fall, 5) as number),
  );
  await expect(dense.explain({ y_input: x })).rejects.toThrow("TensorFlow.js");
});

test("what cannot be explained so is refused, and an abort ends it", async () => {
  const image = picture(1);
  const refused = { code: "runtime/not-explainable" };
  await expect(digits.explain({ image: new Float32Array(2 * PIXELS) })).rejects.toMatchObject(refused);
  await expect(digits.explain({ image }, { target: 10 })).rejects.toMatchObject(refused);
  const small = { image: tensor("float32", [2, 1, 28, 28], new Float32Array(2 * PIXELS)) };
  await expect(digits.explain({ image }, { baseline: small })).rejects.toMatchObject(refused);
  await expect(digits.explain({ image }, { baseline: { other: [1] } })).rejects.toMatchObject({
    code: "engine/unknown-input",
  });
  for (const options of [
    { steps: 0 },
    { steps: 1.5 },
    { target: -1 },
    { window: 0 },
    { method: "guess" as never },
  ]) {
    await expect(digits.explain({ image }, options)).rejects.toBeInstanceOf(RangeError);
  }
  const reason = new Error("not needed");
  const controller = new AbortController();
  const running = digits.explain({ image }, { steps: 1024, signal: controller.signal });
  controller.abort(reason);
  await expect(running).rejects.toBe(reason);
});
