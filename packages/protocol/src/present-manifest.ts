import type { FirstModelManifest, ModelManifest } from "./model-manifest.ts";

/** A manifest as signed before models had several inputs and outputs, in the present format. */
export function presentManifest({ input, output, ...rest }: FirstModelManifest): ModelManifest {
  return { ...rest, formatVersion: 2, inputs: [input], outputs: [output] };
}
