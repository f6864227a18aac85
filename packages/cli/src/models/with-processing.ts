import { decodeUtf8 } from "@tributary/core";
import { decodeModel, encodeModel, type ValueInfo } from "@tributary/onnx";
import { parseProcessing, PROCESSING_KEY } from "@tributary/protocol";

/**
 * The model with what it says of images and answers, in its metadata, where any exporter may put it too.
 *
 * @param document - JSON
 * @throws `protocol/invalid-document` where it does not fit the model
 */
export function withProcessing(onnx: Uint8Array, document: Uint8Array): Uint8Array<ArrayBuffer> {
  const model = decodeModel(onnx);
  const { inputs, outputs } = model.graph;
  parseProcessing(document, { inputs: inputs.map(portOf), outputs: outputs.map(portOf) });
  const others = model.metadata.filter(({ key }) => key !== PROCESSING_KEY);
  return encodeModel({
    ...model,
    metadata: [...others, { key: PROCESSING_KEY, value: decodeUtf8(document) }],
  });
}

function portOf({ name, elementType, shape = [] }: ValueInfo) {
  return { name, dtype: elementType, shape: shape.map((size) => (typeof size === "number" ? size : -1)) };
}
