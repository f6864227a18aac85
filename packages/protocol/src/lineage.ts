import Type, { type Static } from "typebox";
import { GraphPorts } from "./graph-ports.ts";
import { DigestSchema, nullable, readonlyArray, RoundIdSchema, TaskNameSchema, textEnum } from "./schema.ts";

const Count = Type.Integer({ minimum: 0 });
const Share = Type.Number({ minimum: 0, maximum: 1 });

/** Who or what made a version. */
export const MadeBy = Type.Union([
  Type.Object(
    {
      kind: Type.Literal("operator"),
      via: textEnum(["http", "files", "process"], {
        description: "http: with the operator's token; process: who runs the coordinator",
      }),
    },
    { description: "It was published" },
  ),
  Type.Object(
    {
      kind: Type.Literal("task"),
      task: TaskNameSchema,
      plan: Type.Object({ number: Type.Integer({ minimum: 1 }), digest: DigestSchema }),
    },
    { description: "Devices trained it for a task, by this plan" },
  ),
]);
export type MadeBy = Static<typeof MadeBy>;

/** A sum that went into a version. */
export const LineageCohort = Type.Object({
  round: RoundIdSchema,
  updates: Count,
  numExamples: Count,
  staleness: nullable(Count, {
    description: "Versions since the one it was trained from; null: synchronous",
  }),
});
export type LineageCohort = Static<typeof LineageCohort>;

/** What a version was made of and by, as it was known at its commit; a part of it that never changes. */
export const Lineage = Type.Object({
  madeBy: MadeBy,
  cohorts: readonlyArray(LineageCohort, { description: "Empty of a published version" }),
  /** What held-out data it was measured on; null: on none. */
  evaluation: nullable(Type.Object({ dataset: DigestSchema, examples: Count })),
  /** Of those metrics that are shares of the held-out examples, by name: Wilson's score interval. */
  intervals: Type.Unsafe<
    Readonly<Record<string, { readonly lower: number; readonly upper: number; readonly confidence: number }>>
  >(
    Type.Record(Type.String(), Type.Object({ lower: Share, upper: Share, confidence: Share }), {
      description: "Between what accuracy and such metrics lie, for independent examples; losses have none",
    }),
  ),
  privacy: Type.Object({
    /** Of differential privacy. */
    epsilon: nullable(Type.Number({ minimum: 0 }), {
      description: "Null: no differential privacy bounds it",
    }),
    reason: nullable(Type.String(), { description: "Why epsilon is null" }),
    secureAggregation: nullable(
      Type.Object({ minimumCohort: Type.Integer({ minimum: 3, description: "Updates in any sum" }) }),
      { description: "Null: the coordinator saw each update, or there was none" },
    ),
    maxUpdateNorm: nullable(Type.Number({ exclusiveMinimum: 0 }), {
      description: "Largest L2 norm of an update: in secure sums it is cut to it, else refused above",
    }),
  }),
  code: Type.Object({ coordinator: Type.String({ description: "Its version" }) }),
  dataSchema: Type.Object({
    digest: DigestSchema,
    inputs: GraphPorts,
    outputs: GraphPorts,
    labels: nullable(GraphPorts, { description: "Of training examples; null of a published version" }),
    classes: nullable(Count, { description: "How many have names" }),
  }),
});
export type Lineage = Static<typeof Lineage>;
