import type { GraphPort, TfjsStep } from "@tributary/protocol";
import type { Tensor, TensorData } from "@tributary/tensor";
import * as tf from "@tensorflow/tfjs";
import type { Feeds } from "../../engine.ts";
import { tfjsDtype, toTfjs } from "../model.ts";

type Shaped = { readonly shape: readonly number[] };

const float = (name: string, { shape }: Shaped): GraphPort => ({ name, dtype: "float32", shape });

/** What begins with the axis of the batch. */
function batchPorts(step: TfjsStep): readonly GraphPort[] {
  const { inputs, features, labels, moreLabels = [], sampleWeights } = step.spec;
  const dropouts = step.spec.kind === "train" ? (step.spec.dropouts ?? []) : [];
  return [
    ...(inputs ?? [features]),
    labels,
    ...moreLabels,
    sampleWeights,
    ...dropouts.map((mask) => float(mask.input, mask)),
  ];
}

/** What a step is fed: as much as the ONNX graph that does the same. */
export function inputsOf(step: TfjsStep): readonly GraphPort[] {
  const { spec } = step;
  const parameters = spec.parameters.map((each) => float(each.input, each));
  if (spec.kind === "evaluate") return [...batchPorts(step), ...parameters];
  const { learningRate, frozen = [], baseParameters = [], gradientOffsets = [], state = [] } = spec;
  const fed = [...frozen, ...gradientOffsets, ...state].map((each) => float(each.input, each));
  return [...batchPorts(step), learningRate, ...parameters, ...baseParameters, ...fed];
}

export function outputsOf({ spec }: TfjsStep): readonly GraphPort[] {
  const scalars = [spec.lossSum, spec.correct].map((name) => float(name, { shape: [] }));
  const measured =
    spec.kind === "evaluate" ? (spec.metrics ?? []) : [...spec.parameters, ...(spec.state ?? [])];
  return [...scalars, ...measured.map((each) => float(each.output, each))];
}

/**
 * Feeds on the backend that is set, without the rows of weight 0 that fill up a batch: no layer sees them, not even one that measures
 * the batch. The caller disposes of them.
 */
export function fedTensors(step: TfjsStep, feeds: Feeds): ReadonlyMap<string, tf.Tensor> {
  const weights = feeds[step.spec.sampleWeights.name]!.data as Float32Array;
  const rows = Math.max(1, weights.findLastIndex((weight) => weight !== 0) + 1);
  const batch = new Set(batchPorts(step).map(({ name }) => name));
  const fed = new Map<string, tf.Tensor>();
  try {
    for (const { name } of inputsOf(step)) {
      fed.set(name, batch.has(name) ? firstRows(name, feeds[name]!, rows) : toTfjs(name, feeds[name]!));
    }
  } catch (error) {
    tf.dispose([...fed.values()]);
    throw error;
  }
  return fed;
}

function firstRows(name: string, { dtype, shape, data }: Tensor, rows: number): tf.Tensor {
  const [all, ...rest] = shape as [number, ...number[]];
  const kept = data.subarray(0, rows * (data.length / all)) as TensorData;
  return tf.tensor(kept as Float32Array, [rows, ...rest], tfjsDtype(name, dtype));
}
