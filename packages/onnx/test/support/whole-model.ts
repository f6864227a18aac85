import { prepareModel, type PreparedModel } from "../../src/autodiff/prepare.ts";
import type { TrainingGraphSpec } from "../../src/index.ts";
import { floatValues, integerValues } from "../../src/ir/tensor-value.ts";
import type { OrtTensor } from "./engines.ts";
import { floatsOf } from "./engines.ts";
import { array64, type Array64 } from "./array64.ts";
import { interpret } from "./reference.ts";
import type { Batch } from "./training.ts";

/** Learning rate at which an update shows the gradient: a power of two, large against the weights. */
export const PROBE_RATE = 1024;

/** The gradient of the weighted mean loss, read off one step at PROBE_RATE. */
export function gradientOf(
  spec: TrainingGraphSpec,
  name: string,
  before: Float32Array,
  outputs: Record<string, OrtTensor>,
): Float64Array {
  const { output } = spec.parameters.find((parameter) => parameter.name === name)!;
  const after = floatsOf(outputs[output]);
  return Float64Array.from(before, (value, i) => (value - after[i]!) / PROBE_RATE);
}

/** The same classifier in float64: loss as a function of its parameters. */
export class ReferenceModel {
  readonly #prepared: PreparedModel;
  readonly #values = new Map<string, Array64>();
  readonly #batch: Batch;

  constructor(model: Uint8Array, batch: Batch) {
    this.#prepared = prepareModel(model, {
      purpose: "train",
      batchSize: batch.labels.length,
      heads: [{ output: undefined, head: "softmax" }],
    });
    this.#batch = batch;
    for (const tensor of this.#prepared.graph.initializers) {
      const numbers = tensor.elementType === "float32" ? floatValues(tensor) : integerValues(tensor)!;
      this.#values.set(tensor.name, array64(tensor.dims, numbers));
    }
    for (const { name, shape } of this.#prepared.inputs) {
      this.#values.set(name, array64(shape, batch.inputs?.[name] ?? batch.features));
    }
  }

  /** Weighted sum of the losses and of the hits. */
  evaluate(replaced: ReadonlyMap<string, Float64Array> = new Map()): { lossSum: number; correct: number } {
    const values = new Map(this.#values);
    for (const [name, data] of replaced) values.set(name, { shape: values.get(name)!.shape, data });
    const { graph, heads } = this.#prepared;
    const { logits, shape } = heads[0]!;
    const classes = shape.at(-1)!;
    const z = interpret(graph.nodes, values).get(logits)!.data;
    let [lossSum, correct] = [0, 0];
    for (const [row, label] of this.#batch.labels.entries()) {
      const scores = z.subarray(row * classes, (row + 1) * classes);
      const maximum = Math.max(...scores);
      const total = scores.reduce((sum, score) => sum + Math.exp(score - maximum), 0);
      const weight = this.#batch.weights[row]!;
      lossSum += weight * (Math.log(total) + maximum - scores[label]!);
      if (scores.indexOf(maximum) === label) correct += weight;
    }
    return { lossSum, correct };
  }

  /** Derivative of the weighted mean loss along a direction of one parameter. */
  slope(name: string, direction: Float64Array): number {
    const h = 1e-6;
    const base = this.#values.get(name)!.data;
    const total = this.#batch.weights.reduce((sum, weight) => sum + weight, 0);
    const at = (step: number): number => {
      const moved = base.map((value, i) => value + step * direction[i]!);
      return this.evaluate(new Map([[name, moved]])).lossSum / total;
    };
    return (at(h) - at(-h)) / (2 * h);
  }
}
