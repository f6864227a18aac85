import Type, { type Static } from "typebox";
import { AnyParametersDocument, GraphPorts } from "./graph-ports.ts";
import { VersionView } from "./http.ts";
import { Labels, ModelProcessing } from "./model-processing.ts";
import { parseDocument } from "./parse.ts";
import { nullable, readonlyArray, textEnum } from "./schema.ts";
import { FileRef, ReproductionView, VersionStep } from "./version-step.ts";

/** `GET /v1/models/:model/versions/:version/files`: everything that a version consists of, by digest. */
export const VersionFiles = Type.Object({
  version: VersionView,
  format: textEnum(["onnx", "tfjs"]),
  inputs: GraphPorts,
  outputs: GraphPorts,
  labels: nullable(Labels),
  processing: nullable(ModelProcessing),
  parameters: AnyParametersDocument,
  /** Without weights, as inference runs it. */
  graph: FileRef,
  /** As it was exported, in training mode; null where that is the same. */
  trainingGraph: nullable(FileRef),
  /** float32 safetensors. */
  weights: FileRef,
  /** Per-channel int8 safetensors. */
  int8: FileRef,
  /** Whole ONNX files. */
  variants: readonlyArray(
    Type.Object({ name: Type.String({ pattern: "^[a-z0-9][a-z0-9-]{0,31}$" }), ...FileRef.properties }),
  ),
  /** How it came from its parent; null: see `missing`. */
  step: nullable(VersionStep),
  missing: Type.Index(ReproductionView, ["missing"]),
});
export type VersionFiles = Static<typeof VersionFiles>;

/** @throws protocol/invalid-document with the path of the first fault in `detail`. */
export function parseVersionFiles(value: unknown): VersionFiles {
  return parseDocument("files of a version", VersionFiles, value);
}
