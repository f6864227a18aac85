import * as tf from "@tensorflow/tfjs";
import { failure } from "@tributary/core";
import { tensor, type Tensor } from "@tributary/tensor";
import type { TfjsArtifact } from "./artifact.ts";

type DataType = "float32" | "int32" | "bool";

/** A model as TensorFlow.js has it, on the backend it was loaded on. */
export interface TfjsModel {
  readonly model: TfjsArtifact["model"];
  /** Outputs in the order asked for; the caller disposes of them. */
  run(inputs: readonly tf.Tensor[], outputs: readonly string[]): Promise<tf.Tensor[]>;
  dispose(): void;
}

/** @throws `engine/invalid-artifact`, and what TensorFlow.js throws */
export async function loadTfjsModel(artifact: TfjsArtifact): Promise<TfjsModel> {
  return artifact.model.kind === "layers-model"
    ? layersModel(artifact, await loadLayers(artifact))
    : graphModel(artifact, await tf.loadGraphModel(tf.io.fromMemory(artifactsOf(artifact))));
}

/** @throws as {@link loadTfjsModel} */
export async function loadLayers(artifact: TfjsArtifact): Promise<tf.LayersModel> {
  return await tf.loadLayersModel(tf.io.fromMemory(artifactsOf(artifact)));
}

/** A tensor on the backend that is set. @throws `engine/unsupported-dtype` */
export function toTfjs(name: string, { dtype, shape, data }: Tensor): tf.Tensor {
  return tf.tensor(data as Float32Array, [...shape], tfjsDtype(name, dtype));
}

/** @throws `engine/unsupported-dtype` for what TensorFlow.js does not compute with */
export function tfjsDtype(name: string, dtype: string): DataType {
  if (dtype === "float32" || dtype === "int32" || dtype === "bool") return dtype;
  throw failure(
    "engine/unsupported-dtype",
    `tfjs: "${name}" is ${dtype}; TensorFlow.js computes with float32, int32 and bool`,
    { detail: { name, dtype } },
  );
}

function artifactsOf({ model, weights }: TfjsArtifact): tf.io.ModelArtifacts {
  const all = model.weights.map((name) => {
    const weight = weights.get(name);
    if (weight === undefined) {
      throw failure("engine/invalid-artifact", `tfjs: weight "${name}" is not in the file`, {
        detail: { name },
      });
    }
    return [name, weight] as const;
  });
  const size = all.reduce((sum, [, { data }]) => sum + data.byteLength, 0);
  const weightData = new Uint8Array(size);
  let at = 0;
  for (const [, { data }] of all) {
    weightData.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return {
    modelTopology: model.topology,
    weightSpecs: all.map(([name, { shape, dtype }]) => ({
      name,
      shape: [...shape],
      dtype: tfjsDtype(name, dtype),
    })),
    weightData: weightData.buffer,
  };
}

function layersModel({ model }: TfjsArtifact, layers: tf.LayersModel): TfjsModel {
  return {
    model,
    async run(inputs, outputs) {
      return tf.tidy(() => {
        const all = layers.predictOnBatch(inputs.length === 1 ? inputs[0]! : [...inputs]);
        const results = Array.isArray(all) ? all : [all];
        return outputs.map((name) => results[model.outputs.findIndex((port) => port.name === name)]!);
      });
    },
    dispose: () => void layers.dispose(),
  };
}

/** Of these the results' shapes, or which nodes run, depend on values: they run asynchronously. */
const DYNAMIC = new Set([
  "Enter",
  "Exit",
  "If",
  "LoopCond",
  "Merge",
  "NextIteration",
  "NonMaxSuppressionV2",
  "NonMaxSuppressionV3",
  "NonMaxSuppressionV4",
  "NonMaxSuppressionV5",
  "StatelessIf",
  "StatelessWhile",
  "Switch",
  "Where",
  "While",
]);

/** Runs a graph; the caller disposes of what comes out, and of what went in. */
export async function executeGraph(
  graph: tf.GraphModel,
  topology: TfjsArtifact["model"]["topology"],
  feeds: tf.NamedTensorMap,
  names: readonly string[],
): Promise<tf.Tensor[]> {
  const nodes = (topology["node"] ?? []) as readonly { readonly op?: string }[];
  const isDynamic = nodes.some(({ op }) => op !== undefined && DYNAMIC.has(op));
  if (isDynamic) return [await graph.executeAsync(feeds, [...names])].flat();
  return tf.tidy(() => [graph.execute(feeds, [...names])].flat());
}

function graphModel({ model }: TfjsArtifact, graph: tf.GraphModel): TfjsModel {
  const inGraph = (name: string): string => model.tensors?.[name] ?? name;
  return {
    model,
    run(inputs, outputs) {
      const feeds = Object.fromEntries(model.inputs.map(({ name }, i) => [inGraph(name), inputs[i]!]));
      return executeGraph(graph, model.topology, feeds, outputs.map(inGraph));
    },
    dispose: () => graph.dispose(),
  };
}

/** Reads a tensor into memory of its own, whatever the backend keeps. */
export async function fromTfjs(name: string, value: tf.Tensor): Promise<Tensor> {
  const data = await value.data();
  return tensor(tfjsDtype(name, value.dtype), [...value.shape], data.slice() as Float32Array<ArrayBuffer>);
}
