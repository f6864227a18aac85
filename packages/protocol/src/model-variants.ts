import Type, { type Static } from "typebox";
import { parseDocument } from "./parse.ts";
import { parseJson } from "./json.ts";
import { readonlyArray, TargetPathSchema, textEnum } from "./schema.ts";
import { VARIANT_NAMES, type VariantForm } from "./variant-uses.ts";

const Word = Type.String({ pattern: "^[a-z0-9][a-z0-9-]{0,31}$" });
const InputName = Type.String({ minLength: 1, maxLength: 512 });

/** By the input's name: values that even shares of its elements lie below, from the least to the largest. */
export const InputSample = Type.Record(
  InputName,
  readonlyArray(Type.Number(), { minItems: 2, maxItems: 64 }),
  { maxProperties: 64 },
);
export type InputSample = Static<typeof InputSample>;

/**
 * A derived form, as a manifest names it: a whole ONNX file, with the inputs and outputs of the model. A device passes over those whose
 * name it does not know, and those for other engines.
 */
export const VariantDocument = Type.Object({
  name: Word,
  target: TargetPathSchema,
  /** Absent: those that the form's name stands for. */
  engines: Type.Optional(readonlyArray(Word, { minItems: 1, maxItems: 8 })),
  /** What a WebGPU adapter has to have. */
  features: Type.Optional(readonlyArray(Word, { maxItems: 8 })),
  /** What float inputs look like that the form is good for; absent: any. */
  sample: Type.Optional(InputSample),
});
export type VariantDocument = Static<typeof VariantDocument>;

export const VariantDocuments = readonlyArray(VariantDocument, { minItems: 1, maxItems: 8 });

/** Where an ONNX file says which forms are wanted of it and of its versions: among its metadata, as a JSON list. */
export const VARIANTS_KEY = "tributary.variants";

/** @throws `protocol/invalid-document` with the path of the first fault in `detail` */
export function parseVariantNames(bytes: Uint8Array): readonly VariantForm[] {
  const Names = readonlyArray(textEnum(VARIANT_NAMES), { maxItems: 8 });
  return [...new Set(parseDocument("variants", Names, parseJson("variants", bytes, 4096)))];
}
