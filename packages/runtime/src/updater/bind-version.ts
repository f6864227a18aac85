/** A version as its engine loads it. Needed where one is loaded, which a device with an open session does not do. */
import { bindWeights } from "@tributary/onnx/bind";
import type { ModelManifest } from "@tributary/protocol";
import { dequantizeParameters, parametersFromSafetensors, type ParameterSet } from "@tributary/tensor";
import type { InstalledFile } from "../store/device-store.ts";
import { variantOf } from "./version-files.ts";

/** The weights of a version, whichever of its files holds them. */
export function readWeights(
  manifest: ModelManifest,
  files: readonly InstalledFile[],
  bytes: Uint8Array,
): ParameterSet {
  const read = variantOf(manifest, files) === "float32" ? parametersFromSafetensors : dequantizeParameters;
  return read(manifest.parameters, bytes);
}

/** Puts a version together. */
export async function bindVersion(
  manifest: ModelManifest,
  files: readonly InstalledFile[],
  graph: Uint8Array,
  weights: Uint8Array,
): Promise<Uint8Array> {
  const parameters = readWeights(manifest, files, weights);
  if (manifest.format === undefined) return bindWeights(graph, parameters);
  const { bindTfjs } = await import("@tributary/engine/tfjs-artifact");
  return bindTfjs(graph, parameters);
}
