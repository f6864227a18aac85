import * as tf from "@tensorflow/tfjs";
import { floatValues } from "../../src/ir/tensor-value.ts";
import { decodeModel, type TrainingGraphSpec } from "../../src/index.ts";
import { useTfjs } from "./tfjs-backend.ts";
import type { TfjsModel } from "./tfjs-models.ts";
import type { Batch } from "./training.ts";

export interface TfjsGradients {
  /** Weighted sum of the losses. */
  readonly lossSum: number;
  /** Of the weighted mean loss, by parameter. */
  readonly gradients: ReadonlyMap<string, Float32Array>;
}

/** How the ONNX file stores matrices: "out-in", as PyTorch's linear layers do, or "in-out". */
export type MatrixLayout = "out-in" | "in-out";

/** From the ONNX file's layout to TensorFlow's. */
export function toTensorFlow(weight: tf.Tensor, layout: MatrixLayout): tf.Tensor {
  if (weight.rank === 4) return tf.transpose(weight, [2, 3, 1, 0]);
  return weight.rank === 2 && layout === "out-in" ? tf.transpose(weight) : weight;
}

/**
 * Loss and gradients by TensorFlow.js autodiff on its plain JavaScript backend: its WASM backend has no gradient of a
 * convolution's kernel, and a wrong one of max pooling where a window is all negative.
 */
export async function tfjsGradients(
  bytes: Uint8Array,
  { model, layout }: { readonly model: TfjsModel; readonly layout: MatrixLayout },
  spec: TrainingGraphSpec,
  batch: Batch,
  classes: number,
): Promise<TfjsGradients> {
  await useTfjs("cpu");
  tf.engine().startScope();
  const trained = new Set(spec.parameters.map(({ name }) => name));
  const weights = new Map<string, tf.Tensor>();
  for (const initializer of decodeModel(bytes).graph.initializers) {
    const { name, dims, elementType } = initializer;
    if (elementType !== "float32") continue;
    const tensor = tf.tensor(Float32Array.from(floatValues(initializer)), [...dims]);
    weights.set(name, trained.has(name) ? tf.variable(tensor, true, name) : tensor);
  }
  const x = tf.tensor(batch.features, [...spec.features.shape]);
  const oneHot = tf.oneHot(tf.tensor1d(batch.labels, "int32"), classes);
  const shares = tf.tensor1d(batch.weights);
  const lossSum = (): tf.Scalar => {
    const logits = model((name) => toTensorFlow(weights.get(name)!, layout), x);
    const losses = tf.neg(tf.sum(tf.mul(oneHot, tf.logSoftmax(logits)), 1));
    return tf.sum(tf.mul(losses, shares));
  };
  const total = batch.weights.reduce((sum, weight) => sum + weight, 0);
  const { value, grads } = tf.variableGrads(() => tf.div(lossSum(), total));
  const gradients = new Map<string, Float32Array>();
  for (const [name, gradient] of Object.entries(grads)) {
    gradients.set(name, Float32Array.from(await gradient.data<"float32">()));
  }
  const mean = (await value.data())[0]!;
  for (const tensor of weights.values()) tensor.dispose();
  tf.engine().endScope();
  return { lossSum: mean * total, gradients };
}
