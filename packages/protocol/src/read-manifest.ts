import { isModelManifest } from "./generated/model-manifest-check.ts";
import { parseJson } from "./json.ts";
import { LIMITS } from "./limits.ts";
import type { ModelManifest } from "./model-manifest.ts";

/**
 * A manifest of this or an earlier format, in the present one: `parseModelManifest` for devices, which take the schemas in only for a
 * manifest of an earlier format, or to say what is wrong with one.
 *
 * @throws protocol/invalid-document with the path of the first fault in `detail`.
 */
export async function readModelManifest(bytes: Uint8Array): Promise<ModelManifest> {
  const json = parseJson("model manifest", bytes, LIMITS.maxManifestBytes);
  if (isModelManifest(json)) return json;
  const { parseModelManifest } = await import("./model-manifest.ts");
  return parseModelManifest(bytes);
}
