import Type, { type Static } from "typebox";
import { AnyParametersDocument, GraphPort, GraphPorts } from "./graph-ports.ts";
import { parseJson } from "./json.ts";
import { LIMITS } from "./limits.ts";
import { Labels, ModelProcessing } from "./model-processing.ts";
import { VariantDocuments } from "./model-variants.ts";
import { parseDocument } from "./parse.ts";
import { SelfCheck } from "./self-check.ts";
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
  parameters: AnyParametersDocument,
  labels: Type.Optional(Labels),
  /** Absent: the app prepares its inputs, and the first float32 output is read by its name. */
  processing: Type.Optional(ModelProcessing),
  /** The graph that explains its answers, which takes the model's own parameters; absent where the model has no gradients. */
  explanation: Type.Optional(TargetReference),
  /** How devices train weights of their own for it, which stay there: absent where none can, or was to. */
  personalisation: Type.Optional(TargetReference),
  /** Other forms of the version, which a device runs where they agree and are faster. */
  variants: Type.Optional(VariantDocuments),
  /** Absent where nobody could run the version when it was published. */
  selfCheck: Type.Optional(SelfCheck),
  /** What a device has to have for it; one that has not keeps the version that it runs. */
  requires: Type.Optional(
    Type.Object({
      /** The least version of the runtime: `major.minor.patch`. */
      runtime: Type.Optional(Type.String({ pattern: "^\\d{1,5}\\.\\d{1,5}\\.\\d{1,5}$" })),
    }),
  ),
  createdAt: UtcTimestampSchema,
};

/** What a channel of a model points to: `models/<model>/<channel>.json`. */
export const ModelManifest = Type.Object({
  /** 3 where there is a `format`, which a device of before would take for ONNX. */
  formatVersion: Type.Union([Type.Literal(2), Type.Literal(3)]),
  /** What the graph is written in. Absent: ONNX. */
  format: Type.Optional(Type.Literal("tfjs")),
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
