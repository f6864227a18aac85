import Type, { type Static } from "typebox";
import { nullable, textEnum } from "./schema.ts";

/** What a task's progress is read from; see {@link StopRules}. */
export const STOP_METRICS = ["loss", "accuracy"] as const;
export type StopMetric = (typeof STOP_METRICS)[number];

const strict = { additionalProperties: false };
const metricName = textEnum(STOP_METRICS, {
  default: "loss",
  description: "Of each version on the held-out data; where the task has none, the devices' mean in training",
});

/** When a task is done, beside its number of `rounds`. The first rule that holds ends it. */
export const StopRules = Type.Object(
  {
    targetMetric: nullable(
      Type.Object(
        {
          name: metricName,
          value: Type.Number({ description: "A loss at most, or an accuracy of at least, this" }),
        },
        strict,
      ),
      { default: null, description: "Done when a round reaches it" },
    ),
    elapsedMs: nullable(Type.Integer({ minimum: 1_000, maximum: 10 * 365 * 86_400_000 }), {
      default: null,
      description: "Done so long after the task was created or last resumed",
    }),
    noImprovement: nullable(
      Type.Object(
        {
          metric: metricName,
          rounds: Type.Integer({
            minimum: 1,
            maximum: 100_000,
            default: 20,
            description: "Committed rounds without a new best",
          }),
          minimumChange: Type.Number({
            minimum: 0,
            maximum: 1e6,
            default: 0,
            description: "A smaller change is no improvement",
          }),
        },
        strict,
      ),
      { default: null, description: "Done when the best value is so many rounds old" },
    ),
  },
  { ...strict, default: {}, description: "When the task is done, beside its `rounds`" },
);
export type StopRules = Static<typeof StopRules>;

/** Why a task is not running, by its code. All but `operator`, `consecutive-failures`, `gate` and `withdrawn` finish it. */
export const TASK_REASONS = [
  "operator",
  "rounds",
  "target-metric",
  "elapsed",
  "no-improvement",
  "consecutive-failures",
  "gate",
  "withdrawn",
] as const;

/** Why a task is not running: a code for programs and a sentence for people. */
export const TaskReason = Type.Object({
  code: textEnum(TASK_REASONS),
  message: Type.String({ maxLength: 512 }),
});
export type TaskReason = Static<typeof TaskReason>;
