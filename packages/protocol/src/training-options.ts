import Type, { type Static } from "typebox";
import { LIMITS } from "./limits.ts";
import { DigestSchema, nullable, readonlyArray, textEnum } from "./schema.ts";

const strict = { additionalProperties: false };

/** `auto`: the one that the model's first output looks made for; `graph`: an ONNX graph of the operator's. */
export const LOSS_KINDS = [
  "auto",
  "softmax-cross-entropy",
  "sigmoid-cross-entropy",
  "mse",
  "mae",
  "huber",
  "graph",
] as const;

const LOSS_FIELDS = {
  kind: textEnum(LOSS_KINDS, {
    default: "auto",
    description: "What is minimised; auto: what the model's first output looks made for",
  }),
  output: Type.Optional(
    Type.String({ minLength: 1, maxLength: 512, description: "The model's output that it is put on" }),
  ),
  weight: Type.Optional(
    Type.Number({ exclusiveMinimum: 0, maximum: 1e6, description: "Factor in the sum of several losses" }),
  ),
  labelSmoothing: Type.Optional(
    Type.Number({ minimum: 0, exclusiveMaximum: 1, description: "softmax-cross-entropy" }),
  ),
  classWeights: Type.Optional(
    readonlyArray(Type.Number({ minimum: 0, maximum: 1e6 }), {
      minItems: 2,
      maxItems: 65_536,
      description: "softmax-cross-entropy: a factor per class",
    }),
  ),
  delta: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1e6, description: "huber" })),
  graph: Type.Optional(DigestSchema),
};

/** The loss on one output of the model. What a kind does not use is left out. */
export const LossSpec = Type.Object(LOSS_FIELDS, strict);
export type LossSpec = Static<typeof LossSpec>;
export const DefaultLossSpec = Type.Object(LOSS_FIELDS, { ...strict, default: {} });

export const METRIC_KINDS = ["topK", "confusion", "mae"] as const;

/** What is measured on held-out data besides loss and accuracy. */
export const MetricSpec = Type.Object(
  {
    kind: textEnum(METRIC_KINDS),
    k: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_536, description: "topK" })),
  },
  strict,
);
export type MetricSpec = Static<typeof MetricSpec>;

export const LOCAL_OPTIMIZERS = ["sgd", "momentum", "adam", "adamw"] as const;

const beta = (description: string) =>
  Type.Optional(Type.Number({ minimum: 0, exclusiveMaximum: 1, description }));

/** The devices' optimizer, which begins anew in every round. What a kind does not use is left out. */
export const LocalOptimizer = Type.Object(
  {
    kind: textEnum(LOCAL_OPTIMIZERS, { default: "sgd", description: "Of the devices; anew in every round" }),
    momentum: beta("momentum; 0.9 if left out"),
    nesterov: Type.Optional(Type.Boolean({ description: "momentum" })),
    beta1: beta("adam, adamw; 0.9 if left out"),
    beta2: beta("adam, adamw; 0.999 if left out"),
    epsilon: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, maximum: 1, description: "adam, adamw; 1e-8 if left out" }),
    ),
    weightDecay: Type.Optional(
      Type.Number({ minimum: 0, maximum: 10, description: "0 if left out, of adamw 0.01" }),
    ),
  },
  { ...strict, default: {} },
);
export type LocalOptimizer = Static<typeof LocalOptimizer>;

/** Options of a task that say what is trained, and towards what. */
export const TRAINING_FIELDS = {
  trainable: Type.Unsafe<readonly string[]>(
    Type.Array(Type.String({ minLength: 1, maxLength: 512 }), {
      minItems: 1,
      maxItems: LIMITS.maxParameters,
      default: ["*"],
      description: "Parameters that learn, by name; * stands for any text",
    }),
  ),
  loss: DefaultLossSpec,
  moreLosses: Type.Unsafe<readonly LossSpec[]>(
    Type.Array(LossSpec, { maxItems: 16, default: [], description: "Losses on further outputs" }),
  ),
  metrics: Type.Unsafe<readonly MetricSpec[]>(
    Type.Array(MetricSpec, {
      maxItems: 16,
      default: [],
      description: "Measured on held-out data besides loss and accuracy",
    }),
  ),
};

/** Options of a task that say how a device steps. */
export const STEP_FIELDS = {
  optimizer: LocalOptimizer,
  clipGradientNorm: nullable(Type.Number({ exclusiveMinimum: 0, maximum: 1e12 }), { default: null }),
  loopSteps: Type.Integer({
    minimum: 1,
    maximum: 4096,
    default: 64,
    description: "Most steps of one run; fewer where they would take more than 30 ms",
  }),
};
