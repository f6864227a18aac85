import { encodeUtf8, TributaryError, type ModelName } from "@tributary/core";
import { personalisationDocument, personalisationGraphs } from "@tributary/federation/planning";
import { decodeModel } from "@tributary/onnx";
import { parsePersonalisation, PERSONALISATION_KEY } from "@tributary/protocol";
import type { BlobStore } from "../ports/blob-store.ts";
import type { BlobRef, ModelRecord } from "../ports/model-records.ts";
import { personalisationPath } from "../releases/target-paths.ts";
import type { PublishedFile } from "./read-published.ts";

/**
 * What devices train weights of their own by, stored; null where gradients reach neither the last layer nor adapters, or the file says that
 * nobody is to. It leaves the parameters out, so that all versions share it.
 *
 * @param file - as it was published
 */
export async function storePersonalisation(
  blobs: BlobStore,
  model: ModelName,
  file: Uint8Array,
  { described, parameters }: PublishedFile,
): Promise<ModelRecord["personalisation"]> {
  if (described.format !== "onnx" || parameters.schema.length === 0 || isOff(file)) return null;
  const graphs: BlobRef[] = [];
  const put = async (bytes: Uint8Array): Promise<string> => {
    const blob = await blobs.put(bytes);
    if (!graphs.some(({ digest }) => digest === blob.digest)) graphs.push(blob);
    return personalisationPath(model, blob.digest, "onnx");
  };
  const built = graphsOf(
    file,
    parameters.schema.map(({ name }) => name),
  );
  if (built.head === undefined && built.lowRank === undefined) return null;
  const document = await personalisationDocument(model, built, put);
  const bytes = encodeUtf8(JSON.stringify(document));
  parsePersonalisation(bytes);
  return { document: await blobs.put(bytes), graphs };
}

function isOff(file: Uint8Array): boolean {
  return decodeModel(file).metadata.some(({ key, value }) => key === PERSONALISATION_KEY && value === "off");
}

/** A model that can be published and not be trained has none. */
function graphsOf(file: Uint8Array, parameters: readonly string[]) {
  try {
    return personalisationGraphs(file, parameters);
  } catch (error) {
    if (!TributaryError.is(error) || !error.code.startsWith("onnx/")) throw error;
    return { head: undefined, lowRank: undefined };
  }
}
