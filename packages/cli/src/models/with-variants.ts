import { decodeModel, encodeModel } from "@tributary/onnx";
import { VARIANTS_KEY, type VariantForm } from "@tributary/protocol";

/** The model with the forms that are to be derived of each of its versions, in its metadata. */
export function withVariants(onnx: Uint8Array, variants: readonly VariantForm[]): Uint8Array<ArrayBuffer> {
  const model = decodeModel(onnx);
  const others = model.metadata.filter(({ key }) => key !== VARIANTS_KEY);
  return encodeModel({
    ...model,
    metadata: [...others, { key: VARIANTS_KEY, value: JSON.stringify(variants) }],
  });
}
