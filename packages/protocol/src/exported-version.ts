import Type, { type Static } from "typebox";
import { GraphPorts } from "./graph-ports.ts";
import { VersionView } from "./http.ts";
import { LIMITS } from "./limits.ts";
import { Labels, ModelProcessing } from "./model-processing.ts";
import { parseDocument } from "./parse.ts";
import { parseJson } from "./json.ts";
import { nullable, readonlyArray, textEnum } from "./schema.ts";
import { FileRef } from "./version-step.ts";

export const EXPORTED_ROLES = [
  "model",
  "training-model",
  "weights",
  "int8-weights",
  "variant",
  "card",
  "step",
  "step-source",
] as const;
export type ExportedRole = (typeof EXPORTED_ROLES)[number];

/** A file of the folder: at most one folder down, and no name that a file system takes for something else. */
export const ExportedFile = Type.Object({
  path: Type.String({
    pattern:
      "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}(\\.[A-Za-z0-9_-]{1,32}){0,4}(/[A-Za-z0-9][A-Za-z0-9_-]{0,63}(\\.[A-Za-z0-9_-]{1,32}){0,4})?$",
  }),
  role: textEnum(EXPORTED_ROLES),
  ...FileRef.properties,
});
export type ExportedFile = Static<typeof ExportedFile>;

/** `manifest.json` of an exported version: what it is, and every other file of it by its SHA-256. */
export const ExportedVersion = Type.Object({
  kind: Type.Literal("tributary-version"),
  formatVersion: Type.Literal(1),
  version: VersionView,
  format: textEnum(["onnx", "tfjs"]),
  inputs: GraphPorts,
  outputs: GraphPorts,
  labels: nullable(Labels),
  processing: nullable(ModelProcessing),
  files: readonlyArray(ExportedFile, { minItems: 1, maxItems: 64 }),
});
export type ExportedVersion = Static<typeof ExportedVersion>;

/** @throws protocol/invalid-document with the path of the first fault in `detail`. */
export function parseExportedVersion(bytes: Uint8Array): ExportedVersion {
  const json = parseJson("exported version", bytes, LIMITS.maxManifestBytes);
  return parseDocument("exported version", ExportedVersion, json);
}
