import type { ParameterSchema, ParameterSpec } from "@tributary/tensor";
import Type, { type Static } from "typebox";
import type { DocumentFault } from "./training-faults.ts";
import { LIMITS } from "./limits.ts";
import { nullable, readonlyArray, ShapeSchema, TensorNameSchema, textEnum } from "./schema.ts";

const strict = { additionalProperties: false };

/** What becomes of a tensor's values: weights go through the strategy, statistics are averaged. */
export const UPDATE_ROLES = ["weight", "statistic"] as const;

const maxStatisticChange = (more: { default?: number; description?: string } = {}) =>
  Type.Number({ exclusiveMinimum: 0, maximum: 1e12, ...more });

/** Most that one running mean or variance may change in a round; 100 in tasks that do not say. */
export const MaxStatisticChange = maxStatisticChange({
  default: 100,
  description: "Most that one running mean or variance may change in a round",
});

/** One tensor of an update. A name that is no parameter of the model begins every round at zero. */
export const UpdateTensor = Type.Object({
  name: TensorNameSchema,
  shape: ShapeSchema,
  role: textEnum(UPDATE_ROLES),
  /** A version's values are never below it: 0 of a variance. */
  minimum: Type.Optional(Type.Number()),
});
export type UpdateTensor = Static<typeof UpdateTensor>;

/** What an update holds, in order: weights, then statistics, each as trained minus base. */
export const UpdateLayout = Type.Object({
  tensors: readonlyArray(Type.Unsafe<UpdateTensor & ParameterSpec>(UpdateTensor), {
    minItems: 1,
    maxItems: LIMITS.maxParameters,
  }),
  maxStatisticChange: maxStatisticChange(),
});
export type UpdateLayout = Static<typeof UpdateLayout>;

/** The layout of plans that say none: every parameter, as a weight. */
export function layoutOfParameters(parameters: ParameterSchema): UpdateLayout {
  return {
    tensors: parameters.map(({ name, shape }) => ({ name, shape, role: "weight" as const })),
    maxStatisticChange: 100,
  };
}

/** Names and shapes of an update's tensors, those of one role or all. */
export function updateSchema(
  { tensors }: Pick<UpdateLayout, "tensors">,
  role?: (typeof UPDATE_ROLES)[number],
): ParameterSchema {
  return tensors
    .filter((tensor) => role === undefined || tensor.role === role)
    .map(({ name, shape }) => ({ name, shape }));
}

/** What a layout that has its schema's form may still get wrong. */
export function layoutFault({ tensors }: UpdateLayout): DocumentFault | undefined {
  const seen = new Set<string>();
  for (const [i, { name, role }] of tensors.entries()) {
    const path = `/update/tensors/${i}`;
    if (seen.has(name)) return { path, problem: `names "${name}" a second time` };
    seen.add(name);
    if (role === "weight" && i > 0 && tensors[i - 1]!.role === "statistic")
      return { path, problem: "is a weight after a statistic" };
  }
  return tensors[0]!.role === "weight"
    ? undefined
    : { path: "/update/tensors/0", problem: "must be a weight: nothing else is learned" };
}

export const BATCH_NORMALIZATION_MODES = ["as-exported", "frozen", "federated"] as const;

/** What batch normalizations do while devices train. */
export const BatchNormalizationMode = textEnum(BATCH_NORMALIZATION_MODES, {
  default: "as-exported",
  description:
    "frozen: layers normalize by the version's running statistics; federated: by the batch, and devices' statistics are averaged; as-exported: federated for layers exported in training mode",
});
export type BatchNormalizationMode = Static<typeof BatchNormalizationMode>;

const ADAPTER_FIELDS = {
  targets: readonlyArray(Type.String({ minLength: 1, maxLength: 512 }), {
    minItems: 1,
    maxItems: LIMITS.maxParameters,
  }),
  rank: Type.Integer({ minimum: 1, maximum: 4096 }),
  alpha: Type.Number({ exclusiveMinimum: 0, maximum: 1e6 }),
  freezeA: Type.Boolean(),
};

/** Of a task: train low-rank adapters of these weights instead of the weights. */
export const AdapterSpec = nullable(
  Type.Object(
    {
      targets: Type.Unsafe<readonly string[]>({
        ...ADAPTER_FIELDS.targets,
        default: ["*"],
        description: "Weights of MatMul, Gemm and Conv, by name; * stands for any text",
      }),
      rank: Type.Unsafe<number>({
        ...ADAPTER_FIELDS.rank,
        default: 8,
        description: "Columns between the two factors",
      }),
      alpha: Type.Optional(
        Type.Unsafe<number>({
          ...ADAPTER_FIELDS.alpha,
          description: "The adapters' part is scaled by alpha / rank; the rank if left out",
        }),
      ),
      freezeA: Type.Unsafe<boolean>({
        ...ADAPTER_FIELDS.freezeA,
        default: true,
        description: "Train the second factor alone: only then is the mean of updates exact",
      }),
    },
    strict,
  ),
  { default: null, description: "Low-rank adapters: devices train and send only these" },
);
export type AdapterSpec = Static<typeof AdapterSpec>;

/** Of a plan: the adapters that its training graph has, and the seed of their first factors. */
export const PlanAdapters = Type.Object({
  ...ADAPTER_FIELDS,
  seed: Type.String({ minLength: 1, maxLength: 128 }),
});
export type PlanAdapters = Static<typeof PlanAdapters>;
