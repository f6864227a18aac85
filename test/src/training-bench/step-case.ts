import { buildTrainingGraph, splitWeights } from "@tributary/onnx";
import type { Feeds, TestEngine } from "../../../packages/onnx/test/support/engines.ts";
import { feedsOf, randomBatch } from "../../../packages/onnx/test/support/training.ts";
import { stepFlops, type BenchModel } from "./bench-model.ts";
import type { Timed } from "./timed.ts";

/** Forward, backward and SGD in one graph; the parameters go in and come out of every step, as a device feeds them. */
export async function stepCase(engine: TestEngine, model: BenchModel, batchSize: number): Promise<Timed> {
  const bytes = model.build();
  const begin = performance.now();
  const graph = buildTrainingGraph(bytes, {
    batchSize,
    loss: "softmax-cross-entropy",
    optimizer: "sgd",
    target: "cpu",
  });
  const built = performance.now();
  const session = await engine.load(graph.model);
  const loaded = performance.now();
  const { spec } = graph;
  const batch = randomBatch(spec, "bench", model.classes);
  const feeds: Feeds = feedsOf(engine, spec, batch, splitWeights(bytes).parameters, 1e-3);
  return {
    info: {
      name: model.name,
      batchSize,
      flops: stepFlops(model, batchSize),
      buildMs: built - begin,
      sessionMs: loaded - built,
      modelBytes: graph.model.length,
    },
    async run() {
      const outputs = await session.run(feeds);
      for (const { input, output } of spec.parameters) feeds[input] = outputs[output]!;
    },
  };
}
