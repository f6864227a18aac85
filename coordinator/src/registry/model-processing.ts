import { encodeUtf8 } from "@tributary/core";
import { modelPorts } from "@tributary/federation/planning";
import { decodeModel } from "@tributary/onnx";
import { parseProcessing, PROCESSING_KEY } from "@tributary/protocol";
import type { ModelRecord } from "../ports/model-records.ts";

/**
 * How images become a model's inputs and its outputs answers, as its file says.
 *
 * @throws `protocol/invalid-document`
 */
export function modelProcessing(onnx: Uint8Array): Pick<ModelRecord, "labels" | "processing"> {
  const entry = decodeModel(onnx).metadata.find(({ key }) => key === PROCESSING_KEY);
  return processingOf(entry?.value, modelPorts(onnx));
}

/**
 * The same of its document.
 *
 * @throws `protocol/invalid-document`
 */
export function processingOf(
  document: string | undefined,
  ports: Pick<ModelRecord, "inputs" | "outputs">,
): Pick<ModelRecord, "labels" | "processing"> {
  if (document === undefined) return { labels: null, processing: null };
  const { labels = null, ...processing } = parseProcessing(encodeUtf8(document), ports);
  return { labels, processing: Object.keys(processing).length === 0 ? null : processing };
}
