import { encodeUtf8 } from "@tributary/core";
import { bindWeights, decodeModel, quantize } from "@tributary/onnx";
import { parseVariantNames, VARIANTS_KEY, type VariantForm } from "@tributary/protocol";
import type { ParameterSet } from "@tributary/tensor";
import type { BlobStore } from "../ports/blob-store.ts";
import type { ModelRecord, VersionRecord } from "../ports/records.ts";

/**
 * The derived forms that an ONNX file asks for.
 *
 * @throws `protocol/invalid-document`
 */
export function wantedVariants(onnx: Uint8Array): readonly VariantForm[] {
  const entry = decodeModel(onnx).metadata.find(({ key }) => key === VARIANTS_KEY);
  return entry === undefined ? [] : parseVariantNames(encodeUtf8(entry.value));
}

/** Derives and stores a version's forms. @throws `onnx/*` */
export async function storeVariants(
  blobs: BlobStore,
  { graph, variants }: Pick<ModelRecord, "graph" | "variants">,
  parameters: ParameterSet,
): Promise<VersionRecord["variants"]> {
  if (variants.length === 0) return [];
  const complete = bindWeights(await blobs.bytes(graph.digest), parameters);
  const stored: VersionRecord["variants"][number][] = [];
  for (const name of variants) {
    const { model } = await quantize(complete, { scheme: name });
    stored.push({ name, ...(await blobs.put(model)) });
  }
  return stored;
}
