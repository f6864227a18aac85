import * as tf from "@tensorflow/tfjs";
import { failure } from "@tributary/core";
import type { GraphPort } from "@tributary/protocol";
import type { Tensor } from "@tributary/tensor";
import { writeTfjsArtifact, type TfjsArtifact } from "./artifact.ts";
import { executeGraph, fromTfjs, tfjsDtype } from "./model.ts";
import { trainingFacts } from "./training-facts.ts";

export interface PackTfjsOptions {
  /** The `model.json` that TensorFlow.js or its converter wrote. */
  readonly modelJson: Uint8Array;
  /** Reads a file that it names, such as `group1-shard1of2.bin`. */
  readonly read: (path: string) => Promise<Uint8Array>;
  /** How images become inputs and outputs answers, as JSON. */
  readonly processing?: string;
}

/**
 * Packs a LayersModel or GraphModel into one file. Weights that were stored quantized become float32, as they are when
 * TensorFlow.js loads them.
 *
 * @throws `engine/invalid-artifact`, `engine/unsupported-dtype`
 */
export async function packTfjs(options: PackTfjsOptions): Promise<Uint8Array<ArrayBuffer>> {
  const { read, processing } = options;
  tf.env().set("PROD", true); // in Node it advertises its other packages else
  let artifacts: tf.io.ModelArtifacts;
  try {
    const json = JSON.parse(new TextDecoder().decode(options.modelJson)) as tf.io.ModelJSON;
    artifacts = await tf.io.getModelArtifactsForJSON(json, async (manifest) => {
      const shards = await Promise.all(manifest.flatMap(({ paths }) => paths).map(read));
      const specs = manifest.flatMap(({ weights }) => weights);
      return [specs, tf.io.CompositeArrayBuffer.join(shards.map((bytes) => bytes.slice().buffer))];
    });
  } catch (cause) {
    throw invalid(`model.json cannot be read: ${(cause as Error).message}`, cause);
  }
  const { modelTopology, weightSpecs = [], weightData } = artifacts;
  if (typeof modelTopology !== "object" || weightData === undefined) {
    throw invalid("model.json has no topology, or no weights");
  }
  const handler = tf.io.fromMemory(artifacts);
  const topology = modelTopology as TfjsArtifact["model"]["topology"];
  const names = weightSpecs.map(({ name }) => name);
  const ports =
    "node" in topology
      ? await graphPorts(handler, topology, artifacts.signature)
      : await layersPorts(handler, names);
  const decoded = tf.io.decodeWeights(weightData, weightSpecs);
  const weights = new Map<string, Tensor>();
  try {
    for (const [name, value] of Object.entries(decoded)) weights.set(name, await fromTfjs(name, value));
  } finally {
    tf.dispose(decoded);
  }
  const model: TfjsArtifact["model"] = { topology, weights: names, ...ports };
  return writeTfjsArtifact({ model, weights, ...(processing === undefined ? {} : { processing }) });
}

type Ports = Pick<TfjsArtifact["model"], "kind" | "inputs" | "outputs" | "tensors" | "training">;

async function layersPorts(handler: tf.io.IOHandler, names: readonly string[]): Promise<Ports> {
  const model = await tf.loadLayersModel(handler);
  // A port is called as its layer. A Sequential has no list of those names.
  const portOf = ({ dtype, shape, sourceLayer }: tf.SymbolicTensor): GraphPort => ({
    name: sourceLayer.name,
    dtype: tfjsDtype(sourceLayer.name, dtype),
    shape: shape.map((size) => size ?? -1),
  });
  const ports: Ports = {
    kind: "layers-model",
    inputs: model.inputs.map(portOf),
    outputs: model.outputs.map(portOf),
    training: trainingFacts(model, names),
  };
  model.dispose();
  return ports;
}

interface SignatureEntry {
  readonly name?: string;
}

type Signature = Readonly<Record<string, SignatureEntry>>;

async function graphPorts(
  handler: tf.io.IOHandler,
  topology: TfjsArtifact["model"]["topology"],
  signature: unknown,
): Promise<Ports> {
  const model = await tf.loadGraphModel(handler);
  const { inputs = {}, outputs = {} } = (signature ?? {}) as {
    readonly inputs?: Signature;
    outputs?: Signature;
  };
  const given = model.inputs.map(({ name, dtype, shape }) => {
    if (shape === undefined) throw invalid(`the shape of "${name}" is not in the model's signature`);
    return { tensor: name, dtype: tfjsDtype(name, dtype), shape: shape.map((size) => size ?? -1) };
  });
  // What comes out is not always in the signature: it is seen, with free dimensions of one size and of another.
  const [one, two] = [await resultsOf(model, topology, given, 1), await resultsOf(model, topology, given, 2)];
  const tensors: Record<string, string> = {};
  const called = (tensor: string, entries: Signature): string => {
    const name =
      Object.keys(entries).find((key) => (entries[key]?.name ?? key) === tensor) ?? tensor.replace(/:0$/, "");
    tensors[name] = tensor;
    return name;
  };
  const ports: Ports = {
    kind: "graph-model",
    inputs: given.map(({ tensor, dtype, shape }) => ({ name: called(tensor, inputs), dtype, shape })),
    outputs: model.outputs.map(({ name }, i) => ({
      name: called(name, outputs),
      dtype: tfjsDtype(name, one[i]!.dtype),
      shape: one[i]!.shape.map((size, axis) => (two[i]!.shape[axis] === size ? size : -1)),
    })),
    tensors,
  };
  model.dispose();
  return ports;
}

type Seen = Pick<tf.Tensor, "dtype" | "shape">;

/** Of zeros. */
async function resultsOf(
  model: tf.GraphModel,
  topology: TfjsArtifact["model"]["topology"],
  inputs: readonly {
    readonly tensor: string;
    readonly dtype: "float32" | "int32" | "bool";
    shape: number[];
  }[],
  freeSize: number,
): Promise<readonly Seen[]> {
  const feeds = Object.fromEntries(
    inputs.map(({ tensor, dtype, shape }) => [
      tensor,
      tf.zeros(
        shape.map((size) => (size < 0 ? freeSize : size)),
        dtype,
      ),
    ]),
  );
  const names = model.outputs.map(({ name }) => name);
  const results = await executeGraph(model, topology, feeds, names);
  const seen = results.map(({ dtype, shape }) => ({ dtype, shape }));
  tf.dispose([feeds, results]);
  return seen;
}

function invalid(problem: string, cause?: unknown): Error {
  return failure("engine/invalid-artifact", `tfjs: ${problem}`, cause === undefined ? {} : { cause });
}
