import { parameterSet } from "@tributary/tensor";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  bindWeights,
  buildDigitsCnn,
  buildExplanationGraph,
  buildLinear,
  splitWeights,
} from "../../src/index.ts";
import { floatsOf, ortNode, type TestEngine } from "../support/engines.ts";

const BATCH = 2;
const IMAGE = 784;
const model = buildDigitsCnn({ seed: "explained" });

let engine: TestEngine;
let graph: Awaited<ReturnType<TestEngine["load"]>>;
let plain: typeof graph;
const { model: bytes, spec } = buildExplanationGraph(model, { batchSize: BATCH });
beforeAll(async () => {
  engine = await ortNode();
  graph = await engine.load(bytes);
  plain = await engine.load(model);
});
afterAll(async () => {
  await graph.release();
  await plain.release();
});

const tensor = (values: Float32Array, shape: readonly number[]) =>
  new engine.Tensor("float32", values, [...shape]);

/** Scores and gradients of two images for two classes. */
async function explain(images: Float32Array, classes: readonly number[]) {
  const weights = new Float32Array(BATCH * 10);
  for (const [row, digit] of classes.entries()) weights[row * 10 + digit] = 1;
  const { output } = spec.gradients[0]!;
  const results = await graph.run({
    image: tensor(images, [BATCH, 1, 28, 28]),
    [spec.weights.name]: tensor(weights, spec.weights.shape),
  });
  return { scores: floatsOf(results[spec.score]), gradients: floatsOf(results[output]) };
}

async function logits(images: Float32Array): Promise<Float32Array> {
  return floatsOf((await plain.run({ image: tensor(images, [images.length / IMAGE, 1, 28, 28]) }))["logits"]);
}

const images = fc.array(fc.float({ min: 0, max: 1, noNaN: true, noDefaultInfinity: true }), {
  minLength: BATCH * IMAGE,
  maxLength: BATCH * IMAGE,
});

describe("an explanation graph", () => {
  test("gives each row's own score and the slope of it, as differences of the model's own answers tell", async () => {
    const digits = fc.tuple(fc.nat({ max: 9 }), fc.nat({ max: 9 }));
    await fc.assert(
      fc.asyncProperty(images, digits, fc.nat({ max: IMAGE - 1 }), async (values, classes, pixel) => {
        const x = Float32Array.from(values);
        const { scores, gradients } = await explain(x, classes);
        const before = await logits(x);
        for (const row of [0, 1]) {
          expect(scores[row]).toBeCloseTo(before[row * 10 + classes[row]!]!, 4);
          const step = 1e-2;
          const [up, down] = [x.slice(), x.slice()];
          up[row * IMAGE + pixel]! += step;
          down[row * IMAGE + pixel]! -= step;
          const at = row * 10 + classes[row]!;
          const slope = ((await logits(up))[at]! - (await logits(down))[at]!) / (2 * step);
          // A kink of Relu or MaxPool within the step bends the difference, not the slope.
          expect(Math.abs(gradients[row * IMAGE + pixel]! - slope)).toBeLessThan(0.05);
        }
      }),
      { numRuns: 15, seed: 3 },
    );
  });

  test("leaves parameters out where it is told to, and takes those of any version", async () => {
    const { parameters } = splitWeights(model);
    const names = parameters.schema.map(({ name }) => name);
    const split = buildExplanationGraph(model, { batchSize: BATCH, parameters: names });
    expect(split.model.length).toBeLessThan(bytes.length / 2);
    expect(split.spec).toEqual(spec);
    const x = Float32Array.from({ length: BATCH * IMAGE }, (_, i) => (i % 13) / 13);
    const session = await engine.load(bindWeights(split.model, parameters));
    const weights = new Float32Array(BATCH * 10).fill(1);
    const feeds = { image: tensor(x, [BATCH, 1, 28, 28]), [spec.weights.name]: tensor(weights, [BATCH, 10]) };
    const { output } = spec.gradients[0]!;
    expect(floatsOf((await session.run(feeds))[output])).toEqual(floatsOf((await graph.run(feeds))[output]));
    const other = parameterSet(
      parameters.schema,
      parameters.values.map((value) => value / 2),
    );
    expect(() => bindWeights(split.model, other)).not.toThrow();
    await session.release();
  });

  test("is built of the output that is named, and refused where nothing has a gradient", () => {
    const linear = buildLinear({ seed: 1 });
    expect(buildExplanationGraph(linear, { batchSize: 1, output: "logits" }).spec.output).toBe("logits");
    expect(() => buildExplanationGraph(linear, { batchSize: 1, output: "nothing" })).toThrow(
      expect.objectContaining({ code: "onnx/unsupported-graph" }),
    );
  });
});
