import { parseJson } from "./json.ts";
import { LIMITS } from "./limits.ts";
import { isFirstModelManifest, isModelManifest } from "./generated/model-manifest-checks.ts";
import type { ModelManifest } from "./model-manifest.ts";
import { presentManifest } from "./present-manifest.ts";

/**
 * A manifest of this or an earlier format, in the present one: `parseModelManifest` for devices, which take the schemas in only to say
 * what is wrong with a manifest that does not hold.
 *
 * @throws protocol/invalid-document with the path of the first fault in `detail`.
 */
export async function readModelManifest(bytes: Uint8Array): Promise<ModelManifest> {
  const json = parseJson("model manifest", bytes, LIMITS.maxManifestBytes);
  if (isModelManifest(json)) return json;
  if (isFirstModelManifest(json)) return presentManifest(json);
  const { parseModelManifest } = await import("./model-manifest.ts");
  return parseModelManifest(bytes);
}
