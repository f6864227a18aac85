import * as tf from "@tensorflow/tfjs";
import { seededRandom } from "@tributary/core";
import { decodeModel } from "@tributary/onnx";
import { floatValues } from "../../../packages/onnx/src/ir/tensor-value.ts";
import { toTensorFlow } from "../../../packages/onnx/test/support/tfjs.ts";
import { stepFlops, type BenchModel } from "./bench-model.ts";
import type { Timed } from "./timed.ts";

/** The same step as TensorFlow.js's users write it: weights in its layout stay on the backend, SGD by its optimizer. */
export function tfjsCase(bench: BenchModel, batchSize: number): Timed {
  const { graph } = decodeModel(bench.build());
  const weights = new Map<string, tf.Tensor>();
  for (const initializer of graph.initializers) {
    const { name, dims, elementType } = initializer;
    if (elementType !== "float32" || dims.length === 0) continue;
    const stored = tf.tensor(Float32Array.from(floatValues(initializer)), [...dims]);
    // Variables are named for the whole process.
    weights.set(
      name,
      tf.variable(toTensorFlow(stored, bench.tfjs.layout), true, `${bench.name}${batchSize}.${name}`),
    );
  }
  const random = seededRandom("bench");
  const shape = [batchSize, ...graph.inputs[0]!.shape!.slice(1).map(Number)];
  const size = shape.reduce((product, dim) => product * dim, 1);
  const x = tf.tensor(
    Float32Array.from({ length: size }, () => random.normal()),
    shape,
  );
  const labels = Int32Array.from({ length: batchSize }, () => random.integer(bench.classes));
  const oneHot = tf.oneHot(tf.tensor1d(labels, "int32"), bench.classes);
  const optimizer = tf.train.sgd(1e-3);
  const variables = [...weights.values()] as tf.Variable[];
  return {
    info: { name: bench.name, batchSize, flops: stepFlops(bench, batchSize) },
    async run() {
      const loss = optimizer.minimize(
        () =>
          tf.losses.softmaxCrossEntropy(
            oneHot,
            bench.tfjs.model((name) => weights.get(name)!, x),
          ) as tf.Scalar,
        true,
        variables,
      )!;
      await loss.data();
      loss.dispose();
    },
  };
}
