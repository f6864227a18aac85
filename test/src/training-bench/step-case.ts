import { build2nn, buildFedAvgCnn, buildTrainingGraph, splitWeights } from "@tributary/onnx";
import type { Feeds, TestEngine } from "../../../packages/onnx/test/support/engines.ts";
import { feedsOf, randomBatch } from "../../../packages/onnx/test/support/training.ts";

/** A model and how many products of two numbers one example costs in each of its layers, first to last. */
export interface BenchModel {
  readonly name: "mlp" | "cnn";
  readonly build: () => Uint8Array;
  readonly products: readonly number[];
}

/** The 2NN and the CNN of McMahan et al. 2017. */
export const MODELS: readonly BenchModel[] = [
  { name: "mlp", build: () => build2nn({ seed: "bench" }), products: [784 * 200, 200 * 200, 200 * 10] },
  {
    name: "cnn",
    build: () => buildFedAvgCnn({ seed: "bench" }),
    products: [28 * 28 * 25 * 32, 14 * 14 * 25 * 32 * 64, 3136 * 512, 512 * 10],
  },
];

/**
 * Floating point operations of one step: two for each product, forward, for the gradient of the weights, and, but in the
 * first layer, for the gradient of its input.
 */
export function stepFlops({ products }: BenchModel, batchSize: number): number {
  const all = products.reduce((sum, count) => sum + count, 0);
  return 2 * batchSize * (3 * all - products[0]!);
}

/** Something to run again and again. */
export interface Timed {
  readonly name: string;
  readonly flops: number;
  run(): Promise<void>;
  close(): Promise<void>;
}

export interface StepCase extends Timed {
  readonly buildMs: number;
  readonly sessionMs: number;
  readonly modelBytes: number;
}

/** Forward, backward and SGD in one graph; the parameters go in and come out of every step, as a device feeds them. */
export async function stepCase(engine: TestEngine, model: BenchModel, batchSize: number): Promise<StepCase> {
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
  const feeds: Feeds = feedsOf(
    engine,
    spec,
    randomBatch(spec, "bench"),
    splitWeights(bytes).parameters,
    1e-3,
  );
  return {
    name: `${engine.name} ${model.name} B${batchSize}`,
    flops: stepFlops(model, batchSize),
    buildMs: built - begin,
    sessionMs: loaded - built,
    modelBytes: graph.model.length,
    async run() {
      const outputs = await session.run(feeds);
      for (const { input, output } of spec.parameters) feeds[input] = outputs[output]!;
    },
    close: () => session.release(),
  };
}
