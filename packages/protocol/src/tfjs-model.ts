/** What a file of a TensorFlow.js model says of itself, beside its weights. */
import Type, { type Static } from "typebox";
import { GraphPorts } from "./graph-ports.ts";
import { parseJson } from "./json.ts";
import { parseDocument } from "./parse.ts";
import { readonlyArray, TensorNameSchema as TensorName, textEnum } from "./schema.ts";

/** What a model's graph is written in. */
export type ModelFormat = "onnx" | "tfjs";

const MAX_MODEL_BYTES = 1 << 20;

export const TfjsModelDocument = Type.Object({
  kind: textEnum(["layers-model", "graph-model"] as const),
  /** `modelTopology` of the model.json. */
  topology: Type.Record(Type.String(), Type.Unknown()),
  /** Names of the weights, in the order that TensorFlow.js wants them. */
  weights: readonlyArray(TensorName, { maxItems: 16_384 }),
  inputs: GraphPorts,
  outputs: GraphPorts,
  /** Of a GraphModel: what each port is called in its graph, by the port's name. */
  tensors: Type.Optional(Type.Record(TensorName, TensorName)),
});
export type TfjsModelDocument = Static<typeof TfjsModelDocument>;

/** @throws `protocol/invalid-document` with the path of the first fault in `detail` */
export function parseTfjsModel(bytes: Uint8Array): TfjsModelDocument {
  return parseDocument("tfjs model", TfjsModelDocument, parseJson("tfjs model", bytes, MAX_MODEL_BYTES));
}
