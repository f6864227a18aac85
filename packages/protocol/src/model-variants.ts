import Type, { type Static } from "typebox";
import { parseDocument } from "./parse.ts";
import { parseJson } from "./json.ts";
import { readonlyArray, TargetPathSchema, textEnum } from "./schema.ts";

/** Forms of a version that are derived where it is published, beside its graph with float32 or int8 weights. */
export const VARIANT_NAMES = ["int8-dynamic"] as const;
export type VariantForm = (typeof VARIANT_NAMES)[number];

/** A derived form, as a manifest names it: a whole ONNX file, with the inputs and outputs of the model. */
export const VariantDocument = Type.Object({ name: textEnum(VARIANT_NAMES), target: TargetPathSchema });
export type VariantDocument = Static<typeof VariantDocument>;

export const VariantDocuments = readonlyArray(VariantDocument, { minItems: 1, maxItems: 8 });

/** Where an ONNX file says which forms are wanted of it and of its versions: among its metadata, as a JSON list. */
export const VARIANTS_KEY = "tributary.variants";

/** @throws `protocol/invalid-document` with the path of the first fault in `detail` */
export function parseVariantNames(bytes: Uint8Array): readonly VariantForm[] {
  const Names = readonlyArray(textEnum(VARIANT_NAMES), { maxItems: 8 });
  return [...new Set(parseDocument("variants", Names, parseJson("variants", bytes, 4096)))];
}
