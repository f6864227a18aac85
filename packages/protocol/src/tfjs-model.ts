/** What a file of a TensorFlow.js model says of itself, beside its weights. */
import Type, { type Static } from "typebox";
import { GraphPorts } from "./graph-ports.ts";
import { LIMITS } from "./limits.ts";
import { parseJson } from "./json.ts";
import { parseDocument } from "./parse.ts";
import { readonlyArray, TensorNameSchema as TensorName, textEnum } from "./schema.ts";

/** What a model's graph is written in. */
export type ModelFormat = "onnx" | "tfjs";

const MAX_MODEL_BYTES = 1 << 20;

/** What TensorFlow.js tells of a LayersModel's training, so that a plan can be made without it. */
export const TfjsTraining = Type.Object({
  /** Weights that learn, of layers whose `trainable` is on; in the file's order. */
  trainable: readonlyArray(TensorName, { maxItems: 16_384 }),
  /** Of each batch normalization; `trainable` of layers that the model's own training would move. */
  statistics: readonlyArray(
    Type.Object({ mean: TensorName, variance: TensorName, trainable: Type.Boolean() }),
    { maxItems: 8192 },
  ),
  /** Dropout layers, by the path of their names, and the shape of what each lets pass. */
  dropouts: readonlyArray(
    Type.Object({
      layer: TensorName,
      shape: readonlyArray(Type.Integer({ minimum: -1, maximum: 2 ** 31 - 1 }), { maxItems: LIMITS.maxRank }),
      ratio: Type.Number({ minimum: 0, exclusiveMaximum: 1 }),
    }),
    { maxItems: 1024 },
  ),
});
export type TfjsTraining = Static<typeof TfjsTraining>;

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
  /** Of a LayersModel. Files of earlier releases lack it: their models run, and do not train. */
  training: Type.Optional(TfjsTraining),
});
export type TfjsModelDocument = Static<typeof TfjsModelDocument>;

/** @throws `protocol/invalid-document` with the path of the first fault in `detail` */
export function parseTfjsModel(bytes: Uint8Array): TfjsModelDocument {
  return parseDocument("tfjs model", TfjsModelDocument, parseJson("tfjs model", bytes, MAX_MODEL_BYTES));
}
