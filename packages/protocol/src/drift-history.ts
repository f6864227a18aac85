import Type, { type Static } from "typebox";
import { DriftView } from "./measurement-view.ts";
import { pageOf, pageQuery } from "./page.ts";
import {
  ModelNameSchema,
  ModelVersionSchema,
  nullable,
  readonlyArray,
  RoundIdSchema,
  TaskNameSchema,
  textEnum,
  TimestampSchema,
} from "./schema.ts";

// How what devices measure moved away from its reference, round by round, over HTTP.

const Count = Type.Integer({ minimum: 0 });
const Counts = readonlyArray(Type.Number());

/**
 * What a population stability index is taken to say, by a rule of thumb of credit scoring (Siddiqi, "Credit Risk Scorecards", 2006): below the
 * first nothing to do with, from the second much. It says nothing of samples' sizes: `psiLimit` does.
 */
export const PSI_LEVELS = Object.freeze({ some: 0.1, much: 0.25 });

export const DRIFT_SUBJECTS = ["feature", "prediction", "confidence", "label"] as const;

/** Query of `GET /v1/tasks/:task/drift`: a page is so many measurements. */
export const DriftHistoryQuery = Type.Object(pageQuery(200, 60));

/** `GET /v1/tasks/:task/drift` */
export const DriftHistory = pageOf({
  task: TaskNameSchema,
  model: ModelNameSchema,
  reference: Type.Object({
    hasDataset: Type.Boolean({
      description: "The task names a data set that stands for what the model was trained on",
    }),
    /** The first measurement: for what the data set says nothing of. */
    first: nullable(
      Type.Object({ roundId: RoundIdSchema, version: ModelVersionSchema, at: TimestampSchema }),
    ),
  }),
  levels: Type.Object({ some: Type.Number(), much: Type.Number(), source: Type.String() }),
  measurements: readonlyArray(
    Type.Object({ roundId: RoundIdSchema, version: ModelVersionSchema, at: TimestampSchema, devices: Count }),
    { description: "Newest first" },
  ),
  metrics: readonlyArray(
    Type.Object({
      name: Type.String(),
      subject: textEnum(DRIFT_SUBJECTS),
      latest: DriftView,
      histogram: Type.Object({
        edges: Counts,
        reference: Counts,
        now: Counts,
        classes: nullable(readonlyArray(Type.String()), {
          description: "Names of the bins between the first and the last",
        }),
      }),
      history: readonlyArray(
        nullable(
          Type.Object({
            psi: Type.Number(),
            psiLimit: Type.Number(),
            count: Count,
            beyondNoise: Type.Boolean(),
          }),
        ),
        {
          description: "In the order of the measurements; null: it has no reference, or nothing was counted",
        },
      ),
    }),
    {
      description:
        "What the newest measurement of the page has, with latest and histogram of it; the one that drifted most, beyond what chance would do, first",
    },
  ),
});
export type DriftHistory = Static<typeof DriftHistory>;
