import type { TrainingGraph } from "@tributary/onnx";
import { bindWeights, buildTrainingGraph, splitWeights } from "@tributary/onnx";
import { parameterView } from "@tributary/tensor";
import type { TestEngine } from "../../../packages/onnx/test/support/engines.ts";
import type { Digits } from "../../../packages/onnx/test/support/mnist.ts";

const BATCH = 32;

/** One pass of plain SGD over the first `examples` digits, with our own training graph on onnxruntime-node. */
export async function trainOnDigits(
  engine: TestEngine,
  model: Uint8Array,
  digits: Digits,
  options: { readonly examples: number; readonly learningRate: number },
): Promise<Uint8Array> {
  const { Tensor } = engine;
  const graph: TrainingGraph = buildTrainingGraph(model, {
    batchSize: BATCH,
    loss: "softmax-cross-entropy",
    optimizer: "sgd",
    target: "cpu",
  });
  const { spec } = graph;
  const split = splitWeights(model);
  const session = await engine.load(graph.model);
  for (let at = 0; at + BATCH <= options.examples; at += BATCH) {
    const images = new Float32Array(BATCH * 784);
    for (let i = 0; i < BATCH; i++) images.set(digits.image(at + i), i * 784);
    const results = await session.run({
      [spec.features.name]: new Tensor("float32", images, spec.features.shape),
      [spec.labels.name]: new Tensor("int32", Int32Array.from(digits.labels.subarray(at, at + BATCH)), [
        BATCH,
      ]),
      [spec.sampleWeights.name]: new Tensor("float32", new Float32Array(BATCH).fill(1), [BATCH]),
      [spec.learningRate.name]: new Tensor(
        "float32",
        Float32Array.of(options.learningRate),
        spec.learningRate.shape,
      ),
      ...Object.fromEntries(
        spec.parameters.map(({ name, shape, input }) => [
          input,
          new Tensor("float32", parameterView(split.parameters, name), shape),
        ]),
      ),
    });
    for (const { name, output } of spec.parameters) {
      parameterView(split.parameters, name).set(results[output]!.data as Float32Array);
    }
  }
  await session.release();
  return bindWeights(split.graph, split.parameters);
}
