/** What devices do with a TensorFlow.js model in a task, as data: a step of training, or a look at the loss. */
import Type, { type Static } from "typebox";
import { EvaluationGraphDocument, TrainingGraphDocument } from "./documents.ts";
import { parseJson } from "./json.ts";
import { LIMITS } from "./limits.ts";
import { parseDocument } from "./parse.ts";
import { readonlyArray, TensorNameSchema as TensorName, textEnum } from "./schema.ts";
import { LocalOptimizer } from "./training-options.ts";

/** Losses that TensorFlow.js steps know: they are written out in its operators. */
export const TFJS_LOSSES = ["softmax-cross-entropy", "sigmoid-cross-entropy", "mse", "mae", "huber"] as const;
export type TfjsLossKind = (typeof TFJS_LOSSES)[number];

const MAX_STEP_BYTES = 4 << 20;

/** One summand of what is minimised, as in a task. */
const TfjsLoss = Type.Object({
  kind: textEnum(TFJS_LOSSES),
  /** The model's output that it is put on. */
  output: TensorName,
  /** The input that holds what is to be learned. */
  labels: TensorName,
  weight: Type.Number({ exclusiveMinimum: 0, maximum: 1e6 }),
  labelSmoothing: Type.Optional(Type.Number({ minimum: 0, exclusiveMaximum: 1 })),
  classWeights: Type.Optional(
    readonlyArray(Type.Number({ minimum: 0, maximum: 1e6 }), { minItems: 2, maxItems: 65_536 }),
  ),
  delta: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1e6 })),
});
export type TfjsLoss = Static<typeof TfjsLoss>;

/** A metric of the step's document, by the output that it becomes. */
const TfjsMetric = Type.Object({
  kind: textEnum(["topK", "confusion", "mae", "loss"] as const),
  output: TensorName,
  /** Which of the losses it is measured on, from 0. */
  loss: Type.Integer({ minimum: 0, maximum: LIMITS.maxPorts }),
  k: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_536 })),
});
export type TfjsMetric = Static<typeof TfjsMetric>;

const STEP_FIELDS = {
  losses: readonlyArray(TfjsLoss, { minItems: 1, maxItems: LIMITS.maxPorts + 1 }),
  metrics: readonlyArray(TfjsMetric, { maxItems: 1024 }),
};

export const TfjsTrainingStep = Type.Object({
  kind: Type.Literal("train"),
  spec: TrainingGraphDocument,
  ...STEP_FIELDS,
  optimizer: LocalOptimizer,
  clipGradientNorm: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
  proximalTerm: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
  /** Running means and variances that batches move, by their layer's weights. */
  movedStatistics: readonlyArray(TensorName, { maxItems: 16_384 }),
  /** Dropout layers by the input of their mask. */
  dropoutLayers: Type.Record(TensorName, TensorName),
});
export type TfjsTrainingStep = Static<typeof TfjsTrainingStep>;

export const TfjsEvaluationStep = Type.Object({
  kind: Type.Literal("evaluate"),
  spec: EvaluationGraphDocument,
  ...STEP_FIELDS,
});
export type TfjsEvaluationStep = Static<typeof TfjsEvaluationStep>;

export type TfjsStep = TfjsTrainingStep | TfjsEvaluationStep;

/** @throws `protocol/invalid-document` with the path of the first fault in `detail` */
export function parseTfjsStep(bytes: Uint8Array): TfjsStep {
  const json = parseJson("tfjs step", bytes, MAX_STEP_BYTES);
  const { kind } = (json ?? {}) as { readonly kind?: unknown };
  return kind === "evaluate"
    ? parseDocument("tfjs step", TfjsEvaluationStep, json)
    : parseDocument("tfjs step", TfjsTrainingStep, json);
}
