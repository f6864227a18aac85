/** How a graph that explains answers is fed and read. */
import { encodeUtf8 } from "@tributary/core";
import Type, { type Static } from "typebox";
import { GraphPort, GraphPorts } from "./graph-ports.ts";
import { parseJson } from "./json.ts";
import { LIMITS } from "./limits.ts";
import { parseDocument } from "./parse.ts";
import { readonlyArray, TensorNameSchema } from "./schema.ts";

/** Where an explanation graph carries this: among its ONNX metadata, as JSON. */
export const EXPLANATION_KEY = "tributary.explanation";

export const ExplanationSpec = Type.Object({
  /** Rows of one run. */
  batchSize: Type.Integer({ minimum: 1, maximum: 4096 }),
  /** [batchSize, …], in the model's order. */
  inputs: GraphPorts,
  /** The output of the model whose values are explained. */
  output: TensorNameSchema,
  /** How much each value of that output counts in the score of its row. */
  weights: GraphPort,
  /** Output [batchSize]: weights times values, summed over each row. */
  score: TensorNameSchema,
  /** Of each float32 input, the output with the scores' gradient. */
  gradients: readonlyArray(Type.Object({ input: TensorNameSchema, output: TensorNameSchema }), {
    minItems: 1,
    maxItems: LIMITS.maxPorts,
  }),
});
export type ExplanationSpec = Static<typeof ExplanationSpec>;

/** @throws `protocol/invalid-document` with the path of the first fault in `detail` */
export function parseExplanationSpec(text: string): ExplanationSpec {
  const json = parseJson("explanation", encodeUtf8(text), LIMITS.maxManifestBytes);
  return parseDocument("explanation", ExplanationSpec, json);
}
