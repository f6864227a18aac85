import { decodeModel, encodeModel } from "@tributary/onnx";
import { PERSONALISATION_KEY } from "@tributary/protocol";

/** The model, marked as one that devices are not to personalise. */
export function withoutPersonalisation(onnx: Uint8Array): Uint8Array<ArrayBuffer> {
  const model = decodeModel(onnx);
  const others = model.metadata.filter(({ key }) => key !== PERSONALISATION_KEY);
  return encodeModel({ ...model, metadata: [...others, { key: PERSONALISATION_KEY, value: "off" }] });
}
