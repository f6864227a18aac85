import { isTfjsArtifact, readTfjsArtifact, splitTfjs } from "@tributary/engine/tfjs-artifact";
import { modelPorts } from "@tributary/federation/planning";
import { splitWeights, type SplitModel } from "@tributary/onnx";
import { sameSchema } from "@tributary/tensor";
import type { ModelRecord } from "../ports/model-records.ts";
import { modelProcessing, processingOf } from "./model-processing.ts";

/** What is read out of a published file. */
export interface PublishedFile extends SplitModel {
  readonly described: Pick<ModelRecord, "format" | "inputs" | "outputs" | "labels" | "processing">;
}

/**
 * Takes a published file apart: ONNX, or the artifact of a TensorFlow.js model.
 *
 * @param known - the model that it is a version of
 * @throws `onnx/*`, `engine/invalid-artifact`, `safetensors/*`, `protocol/invalid-document`
 */
export function readPublished(bytes: Uint8Array, known: ModelRecord | undefined): PublishedFile {
  if (isTfjsArtifact(bytes)) return readTfjs(bytes);
  return {
    ...splitLike(bytes, known),
    described: { format: "onnx", ...modelPorts(bytes), ...modelProcessing(bytes) },
  };
}

function readTfjs(bytes: Uint8Array): PublishedFile {
  const { model, processing } = readTfjsArtifact(bytes);
  const ports = { inputs: model.inputs, outputs: model.outputs };
  return {
    ...splitTfjs(bytes),
    described: { format: "tfjs", ...ports, ...processingOf(processing, ports) },
  };
}

/** Earlier releases did not publish the statistics of batch normalizations exported for inference: those stay constants. */
function splitLike(onnx: Uint8Array, known: ModelRecord | undefined): SplitModel {
  const split = splitWeights(onnx);
  if (known === undefined || sameSchema(known.parameters, split.parameters.schema)) return split;
  const names = new Set(split.parameters.schema.map(({ name }) => name));
  const before = known.parameters.map(({ name }) => name);
  return before.every((name) => names.has(name)) ? splitWeights(onnx, before) : split;
}
