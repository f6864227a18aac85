import Type, { type Static } from "typebox";
import { GraphPort, GraphPorts, ParameterSchemaDocument } from "./graph-ports.ts";
import { parseJson } from "./json.ts";
import { LIMITS } from "./limits.ts";
import { Labels, ModelProcessing } from "./model-processing.ts";
import { parseDocument } from "./parse.ts";
import {
  ChannelSchema,
  ModelNameSchema,
  ModelVersionSchema,
  nullable,
  TargetPathSchema,
  UtcTimestampSchema,
} from "./schema.ts";

const TargetReference = Type.Object({ target: TargetPathSchema });

const MANIFEST_FIELDS = {
  model: ModelNameSchema,
  channel: ChannelSchema,
  version: ModelVersionSchema,
  parentVersion: nullable(ModelVersionSchema),
  graph: TargetReference,
  weights: Type.Object({ float32: TargetReference, int8: TargetReference }),
  parameters: ParameterSchemaDocument,
  labels: Type.Optional(Labels),
  /** Absent: the app prepares its inputs, and the first float32 output is read by its name. */
  processing: Type.Optional(ModelProcessing),
  createdAt: UtcTimestampSchema,
};

/** What a channel of a model points to: `models/<model>/<channel>.json`. */
export const ModelManifest = Type.Object({
  formatVersion: Type.Literal(2),
  ...MANIFEST_FIELDS,
  inputs: GraphPorts,
  outputs: GraphPorts,
});
export type ModelManifest = Static<typeof ModelManifest>;

/** As signed before models had several inputs and outputs. */
const FirstModelManifest = Type.Object({
  formatVersion: Type.Literal(1),
  ...MANIFEST_FIELDS,
  input: GraphPort,
  output: GraphPort,
});

/**
 * A manifest of this or an earlier format, in the present one.
 *
 * @throws protocol/invalid-document with the path of the first fault in `detail`.
 */
export function parseModelManifest(bytes: Uint8Array): ModelManifest {
  const json = parseJson("model manifest", bytes, LIMITS.maxManifestBytes);
  if ((json as { readonly formatVersion?: unknown } | null)?.formatVersion !== 1) {
    return parseDocument("model manifest", ModelManifest, json);
  }
  const { input, output, ...rest } = parseDocument("model manifest", FirstModelManifest, json);
  return { ...rest, formatVersion: 2, inputs: [input], outputs: [output] };
}
