import Type, { type Static } from "typebox";
import {
  ModelNameSchema,
  ModelVersionSchema,
  nullable,
  readonlyArray,
  TaskNameSchema,
  textEnum,
  TimestampSchema,
} from "./schema.ts";

// Tasks and versions side by side over HTTP.

/** Fewest and most that are compared. */
export const COMPARED = Object.freeze({ fewest: 2, most: 6 });

/** Query of `GET /v1/compare` */
export const CompareQuery = Type.Object({
  of: readonlyArray(Type.String({ pattern: "^[a-z0-9][a-z0-9-]{0,62}(@[a-z0-9][a-z0-9-]{0,31})?$" }), {
    minItems: COMPARED.fewest,
    maxItems: COMPARED.most,
    description: "A task by its name, or a version as model@12 or model@champion",
  }),
});
export type CompareQuery = Static<typeof CompareQuery>;

const CurvePoint = Type.Object({
  round: Type.Integer({ minimum: 1 }),
  version: nullable(ModelVersionSchema),
  /** From the beginning of the first round. */
  seconds: Type.Number(),
  /** In the sums so far, of all rounds. */
  examples: Type.Number({ minimum: 0 }),
  loss: nullable(Type.Number()),
  accuracy: nullable(Type.Number()),
  trainLoss: nullable(Type.Number()),
  trainAccuracy: nullable(Type.Number()),
});

/** A task with its newest version, or a version with the task that made it. */
export const ComparedSubject = Type.Object({
  /** As it was asked for. */
  ref: Type.String(),
  kind: textEnum(["task", "version"]),
  model: ModelNameSchema,
  /** Null: the version was published. */
  task: nullable(TaskNameSchema),
  /** Null: the task has made none so far. */
  version: nullable(ModelVersionSchema),
  strategy: nullable(Type.String()),
  /** When it was created. */
  at: TimestampSchema,
  curve: Type.Object({
    points: readonlyArray(CurvePoint, {
      description: "Of rounds that trained and made a version, oldest first",
    }),
    rounds: Type.Integer({ minimum: 0, description: "How many there are; of many the points are a part" }),
  }),
});
export type ComparedSubject = Static<typeof ComparedSubject>;

const METHODS = ["paired", "independent"] as const;

/** `GET /v1/compare` */
export const CompareView = Type.Object({
  subjects: readonlyArray(ComparedSubject),
  parameters: readonlyArray(
    Type.Object({
      path: Type.String(),
      /** As JSON, by subject; null: it has none. */
      values: readonlyArray(nullable(Type.String())),
      differs: Type.Boolean(),
    }),
    { description: "Of the task's document and of how the version came about" },
  ),
  metrics: readonlyArray(
    Type.Object({
      name: Type.String(),
      better: nullable(textEnum(["higher", "lower"]), { description: "null: that is not known" }),
      /** By subject; null: it was not measured. */
      values: readonlyArray(
        nullable(
          Type.Object({
            value: Type.Number(),
            lower: nullable(Type.Number()),
            upper: nullable(Type.Number()),
            examples: nullable(Type.Integer({ minimum: 0 })),
          }),
        ),
      ),
    }),
  ),
  differences: readonlyArray(
    Type.Object({
      metric: Type.String(),
      /** Places of two subjects: the second less the first. */
      first: Type.Integer({ minimum: 0 }),
      second: Type.Integer({ minimum: 0 }),
      difference: Type.Number(),
      lower: Type.Number(),
      upper: Type.Number(),
      p: Type.Number({ minimum: 0, maximum: 1 }),
      adjustedP: Type.Number({
        minimum: 0,
        maximum: 1,
        description: "By Holm, for all pairs of this metric together",
      }),
      significant: Type.Boolean(),
      method: textEnum(METHODS, {
        description:
          "paired: devices measured both versions on the same examples; independent: from shares of a data set, as if of two samples, which errs towards no difference",
      }),
      examples: Type.Integer({ minimum: 0 }),
    }),
    { description: "Of pairs that something can be said of: measured on the same data" },
  ),
  /** Of intervals, and one less what is called significant. */
  confidence: Type.Number(),
});
export type CompareView = Static<typeof CompareView>;
