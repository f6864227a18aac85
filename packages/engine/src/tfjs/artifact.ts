/**
 * A TensorFlow.js model as one file: safetensors, with the weights by their names and the rest of `model.json` in the metadata. Nothing
 * here needs TensorFlow.js: the coordinator takes such files apart, and devices put them together.
 */
import { decodeUtf8, encodeUtf8, failure } from "@tributary/core";
import { parseTfjsModel, parseTfjsStep, type TfjsModelDocument, type TfjsStep } from "@tributary/protocol";
import {
  checkSchema,
  parameterSet,
  parameterView,
  readSafetensors,
  sameSchema,
  tensor,
  writeSafetensors,
  type ParameterSchema,
  type ParameterSet,
  type Tensor,
} from "@tributary/tensor";

const FORMAT_KEY = "tributary.format";
const MODEL_KEY = "tributary.tfjs";
/** As in the metadata of an ONNX file. */
const PROCESSING_KEY = "tributary.processing";
const PARAMETERS_KEY = "tributary.parameters";
const STEP_KEY = "tributary.step";
const FORMAT = "tfjs";

export interface TfjsArtifact {
  readonly model: TfjsModelDocument;
  readonly weights: ReadonlyMap<string, Tensor>;
  /** How images become inputs and outputs answers, as JSON. */
  readonly processing?: string;
  /** What a plan does with the model, whose parameters are then no part of the file: they are fed. */
  readonly step?: TfjsStep;
}

/** A model whose parameters are a set of their own, as versions have them. */
export interface SplitTfjs {
  /** The file without its float32 weights. */
  readonly graph: Uint8Array<ArrayBuffer>;
  readonly parameters: ParameterSet;
}

/** Whether bytes are a file of this kind, or meant to be: safetensors of any kind begin with the length of their header. */
export function isTfjsArtifact(bytes: Uint8Array): boolean {
  if (bytes.length < 16) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = view.getUint32(0, true);
  if (view.getUint32(4, true) !== 0 || header > bytes.length - 8 || bytes[8] !== 0x7b) return false;
  return decodeUtf8(bytes.subarray(8, 8 + Math.min(header, 256))).includes(`"${FORMAT_KEY}":"${FORMAT}"`);
}

/** @throws `engine/invalid-artifact`, `protocol/invalid-document`, `safetensors/*` */
export function readTfjsArtifact(bytes: Uint8Array): TfjsArtifact {
  const { tensors, metadata } = readSafetensors(bytes);
  const text = metadata[MODEL_KEY];
  if (metadata[FORMAT_KEY] !== FORMAT || text === undefined) {
    throw invalid("the file holds no TensorFlow.js model; pack model.json with `tributary publish`");
  }
  const model = parseTfjsModel(encodeUtf8(text));
  const { [PROCESSING_KEY]: processing, [STEP_KEY]: step } = metadata;
  return {
    model,
    weights: tensors,
    ...(processing === undefined ? {} : { processing }),
    ...(step === undefined ? {} : { step: parseTfjsStep(encodeUtf8(step)) }),
  };
}

export function writeTfjsArtifact(
  { model, weights, processing, step }: TfjsArtifact,
  parameters?: ParameterSchema,
): Uint8Array<ArrayBuffer> {
  return writeSafetensors(weights, {
    [FORMAT_KEY]: FORMAT,
    [MODEL_KEY]: JSON.stringify(model),
    ...(processing === undefined ? {} : { [PROCESSING_KEY]: processing }),
    ...(step === undefined ? {} : { [STEP_KEY]: JSON.stringify(step) }),
    ...(parameters === undefined ? {} : { [PARAMETERS_KEY]: JSON.stringify(parameters) }),
  });
}

/**
 * Takes the float32 weights out of an artifact, so that a new version only brings new weights. {@link bindTfjs} is the inverse.
 *
 * @throws as {@link readTfjsArtifact}, and `tensor/*` for names that parameters may not have
 */
export function splitTfjs(bytes: Uint8Array): SplitTfjs {
  const artifact = readTfjsArtifact(bytes);
  const taken = artifact.model.weights.flatMap((name) => {
    const weight = artifact.weights.get(name);
    if (weight === undefined) throw invalid(`weight "${name}" is not in the file`);
    return weight.dtype === "float32" && weight.shape.length > 0 ? [[name, weight] as const] : [];
  });
  const schema = taken.map(([name, { shape }]) => ({ name, shape: [...shape] }));
  checkSchema(schema);
  const parameters = parameterSet(schema);
  for (const [name, { data }] of taken) parameterView(parameters, name).set(data as Float32Array);
  const names = new Set(taken.map(([name]) => name));
  const rest = new Map([...artifact.weights].filter(([name]) => !names.has(name)));
  return { graph: writeTfjsArtifact({ ...artifact, weights: rest }, schema), parameters };
}

/** Puts parameters back: a complete artifact. @throws `tensor/schema-mismatch`, and as {@link readTfjsArtifact} */
export function bindTfjs(graph: Uint8Array, parameters: ParameterSet): Uint8Array<ArrayBuffer> {
  const artifact = readTfjsArtifact(graph);
  const list = readSafetensors(graph).metadata[PARAMETERS_KEY];
  const schema = list === undefined ? [] : (JSON.parse(list) as ParameterSchema);
  if (!sameSchema(schema, parameters.schema)) {
    throw failure("tensor/schema-mismatch", "tfjs: the parameters are not those that the graph lacks");
  }
  const weights = new Map(artifact.weights);
  for (const { name, shape } of schema) {
    weights.set(name, tensor("float32", [...shape], parameterView(parameters, name).slice()));
  }
  return writeTfjsArtifact({ ...artifact, weights });
}

/**
 * The graph of a version with what a plan does with it: the file that devices train or measure by.
 *
 * @param model the document, without what the losses take in of it
 * @throws as {@link readTfjsArtifact}
 */
export function stepArtifact(
  graph: Uint8Array,
  model: TfjsModelDocument,
  step: TfjsStep,
): Uint8Array<ArrayBuffer> {
  const { weights } = readTfjsArtifact(graph);
  return writeTfjsArtifact({ model, weights, step });
}

function invalid(problem: string): Error {
  return failure("engine/invalid-artifact", `tfjs: ${problem}`);
}
