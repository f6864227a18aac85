import { toFailure, TributaryError, type Logger } from "@tributary/core";
import { buildExplanationGraph, type ExplanationGraph } from "@tributary/onnx";
import type { BlobStore } from "../ports/blob-store.ts";
import type { ModelRecord } from "../ports/model-records.ts";
import type { PublishedFile } from "./read-published.ts";

/** Rows of a run are many for small inputs and few for large ones, whose gradients fill the memory of a device. */
const MAX_ROWS = 8;
const MAX_VALUES = 2 ** 18;

/**
 * The graph by which devices explain a model's answers, stored; null where it has no gradients. It leaves the parameters out, so that
 * all versions share it.
 *
 * @param file - as it was published
 */
export async function storeExplanation(
  services: { readonly blobs: BlobStore; readonly log: Logger },
  file: Uint8Array,
  { described, parameters }: PublishedFile,
): Promise<ModelRecord["explanation"]> {
  if (described.format !== "onnx") return null;
  let built: ExplanationGraph;
  try {
    const output = described.processing?.output?.name;
    built = buildExplanationGraph(file, {
      batchSize: rowsOf(described),
      parameters: parameters.schema.map(({ name }) => name),
      ...(output === undefined ? {} : { output }),
    });
  } catch (error) {
    if (!TributaryError.is(error) || !error.code.startsWith("onnx/")) throw error;
    services.log.info("registry: answers are explained by occlusion alone", { error: toFailure(error) });
    return null;
  }
  return await services.blobs.put(built.model);
}

function rowsOf({ inputs }: PublishedFile["described"]): number {
  const values = inputs.reduce(
    (sum, { shape }) => sum + shape.slice(1).reduce((product, size) => product * Math.max(1, size), 1),
    0,
  );
  return Math.max(1, Math.min(MAX_ROWS, Math.floor(MAX_VALUES / values)));
}
