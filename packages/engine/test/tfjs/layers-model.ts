import { seededRandom } from "@tributary/core";
import { packTfjs } from "../../src/tfjs/index.ts";

/** A layer as model.json lists it. */
export interface LayerJson {
  readonly class_name: string;
  readonly config: Readonly<Record<string, unknown>> & { readonly name: string };
}

/** A weight of the file: its shape, and its values. */
export interface WeightJson {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** A Sequential model as `model.save` of TensorFlow.js writes it, and as it is published. */
export async function packSequential(
  layers: readonly LayerJson[],
  weights: readonly WeightJson[],
): Promise<Uint8Array<ArrayBuffer>> {
  return await packTfjs(sequentialFiles(layers, weights));
}

/** The same, as files: model.json, and what it names. */
export function sequentialFiles(layers: readonly LayerJson[], weights: readonly WeightJson[]) {
  const modelJson = {
    format: "layers-model",
    generatedBy: "TensorFlow.js tfjs-layers v4.22.0",
    modelTopology: {
      class_name: "Sequential",
      config: { name: "sequential", layers },
      keras_version: "tfjs-layers 4.22.0",
      backend: "tensor_flow.js",
    },
    weightsManifest: [
      {
        paths: ["weights.bin"],
        weights: weights.map(({ name, shape }) => ({ name, shape, dtype: "float32" })),
      },
    ],
  };
  const values = Float32Array.from(weights.flatMap((weight) => [...weight.values]));
  return {
    modelJson: new TextEncoder().encode(JSON.stringify(modelJson)),
    read: async () => new Uint8Array(values.buffer),
  };
}

/** Weights of normal numbers around `mean`, always the same. */
export function randomWeight(name: string, shape: readonly number[], mean = 0): WeightJson {
  const random = seededRandom(name);
  const length = shape.reduce((product, size) => product * size, 1);
  const spread = shape.length > 1 ? 0.3 : 0.1;
  return { name, shape, values: Float32Array.from({ length }, () => mean + spread * random.normal()) };
}
