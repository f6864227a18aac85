/** How devices train weights of their own for a model: `models/<model>/personalisation/<digest>.json`. */
import Type, { type Static } from "typebox";
import { TrainingGraphDocument } from "./documents.ts";
import { ParameterSchemaDocument } from "./graph-ports.ts";
import { invalidDocument, parseJson } from "./json.ts";
import { LIMITS } from "./limits.ts";
import { MicroBatchParts, OptimizerStepDocument, WholeReason } from "./micro-batches.ts";
import { parseDocument } from "./parse.ts";
import { ModelNameSchema, TargetPathSchema } from "./schema.ts";

/** What a device may train of a model: its last layer, or low-rank adapters beside all of its layers. */
export const ADAPTER_KINDS = ["head", "low-rank"] as const;
export type AdapterKind = (typeof ADAPTER_KINDS)[number];

export const PersonalAdapters = Type.Object({
  training: Type.Object({
    target: TargetPathSchema,
    spec: TrainingGraphDocument,
    micro: Type.Optional(
      Type.Object({
        spec: TrainingGraphDocument,
        parts: MicroBatchParts,
        step: Type.Object({ target: TargetPathSchema, spec: OptimizerStepDocument }),
      }),
    ),
    whole: Type.Optional(WholeReason),
  }),
  /** The model with what was trained as further parameters. Absent: they are parameters of the model itself. */
  inference: Type.Optional(Type.Object({ target: TargetPathSchema, parameters: ParameterSchemaDocument })),
  learningRate: Type.Number({ exclusiveMinimum: 0, maximum: 100 }),
});
export type PersonalAdapters = Static<typeof PersonalAdapters>;

export const Personalisation = Type.Object({
  formatVersion: Type.Literal(1),
  model: ModelNameSchema,
  batchSize: Type.Integer({ minimum: 1, maximum: 4096 }),
  /** Passes over a device's examples. */
  epochs: Type.Integer({ minimum: 1, maximum: 1000 }),
  head: Type.Optional(PersonalAdapters),
  lowRank: Type.Optional(PersonalAdapters),
});
export type Personalisation = Static<typeof Personalisation>;

/** Where an ONNX file says that no device is to personalise it: among its metadata, as "off". */
export const PERSONALISATION_KEY = "tributary.personalisation";

/** @throws protocol/invalid-document with the path of the first fault in `detail` */
export function parsePersonalisation(bytes: Uint8Array): Personalisation {
  const json = parseJson("personalisation", bytes, LIMITS.maxPlanBytes);
  const document = parseDocument("personalisation", Personalisation, json);
  for (const [name, adapters] of Object.entries({ head: document.head, lowRank: document.lowRank })) {
    const own = adapters?.training.spec.batchSize ?? document.batchSize;
    if (own === document.batchSize) continue;
    throw invalidDocument(
      "personalisation",
      `/${name}/training/spec/batchSize`,
      `must be ${document.batchSize}, got ${own}`,
    );
  }
  return document;
}
