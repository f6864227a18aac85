import Type, { type Static } from "typebox";
import { TaskSpec } from "./documents.ts";
import { nullable, readonlyArray, textEnum, TimestampSchema } from "./schema.ts";

// What a task would cost, simulated before it starts, over HTTP.

const strict = { additionalProperties: false };
const Count = Type.Integer({ minimum: 0 });
const Amount = Type.Number({ minimum: 0 });

/** What devices are taken to be like. */
export const EstimateFleet = Type.Object(
  {
    devices: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 1_000,
      description: "Of the population",
    }),
    examplesPerDevice: Type.Integer({ minimum: 1, maximum: 10_000, default: 50 }),
    dropout: Type.Number({
      minimum: 0,
      maximum: 0.95,
      default: 0.1,
      description: "Share of devices with an offer that vanish before their report has come",
    }),
    stepMs: Type.Number({
      minimum: 0.1,
      maximum: 600_000,
      default: 20,
      description: "Median time of one batch on a device",
    }),
    downlinkMbps: Type.Number({ minimum: 0.01, maximum: 100_000, default: 20 }),
    uplinkMbps: Type.Number({ minimum: 0.01, maximum: 100_000, default: 5 }),
    labels: textEnum(["alike", "skewed"], {
      default: "alike",
      description: "Whether all devices have labels in the same shares, or each mostly a few of them",
    }),
  },
  { ...strict, default: {} },
);
export type EstimateFleet = Static<typeof EstimateFleet>;

/** `POST /v1/tasks/estimate` */
export const EstimateRequest = Type.Object(
  {
    task: TaskSpec,
    fleet: EstimateFleet,
    goal: Type.Object(
      {
        accuracy: nullable(Type.Number({ exclusiveMinimum: 0, maximum: 1 }), {
          default: null,
          description:
            "Rounds until a version is so accurate on held-out examples; null: rounds within the time",
        }),
        minutes: Type.Number({
          exclusiveMinimum: 0,
          maximum: 7 * 24 * 60,
          default: 60,
          description: "Of the simulated clock, at most",
        }),
      },
      { ...strict, default: {} },
    ),
    budgetSeconds: Type.Integer({
      minimum: 1,
      maximum: 120,
      default: 30,
      description: "Of this machine's time, at most: what was simulated by then is told",
    }),
  },
  strict,
);
export type EstimateRequest = Static<typeof EstimateRequest>;

export const ESTIMATE_STATES = ["waiting", "running", "done", "failed", "cancelled"] as const;

/** What a figure does not tell: for whoever reads an estimate. */
export const ESTIMATE_CAVEATS = [
  "device-data",
  "random-data",
  "device-speed",
  "availability",
  "few-rounds",
  "coordinator-share",
  "rows-drawn-again",
] as const;

const Spread = Type.Object({ low: Amount, median: Amount, high: Amount });

export const EstimateResult = Type.Object({
  data: textEnum(["evaluation", "random"], {
    description:
      "What devices learned from: the task's data set for evaluation, or numbers drawn at random, which say nothing of accuracy",
  }),
  rounds: Count,
  abandoned: Count,
  /** Null: no accuracy was asked for, or could be measured. */
  roundsToAccuracy: nullable(Count),
  /** Of the simulated clock, when it was reached. */
  secondsToAccuracy: nullable(Amount),
  accuracy: nullable(Type.Number(), { description: "Of the last version" }),
  loss: nullable(Type.Number()),
  roundSeconds: Type.Object(Spread.properties, {
    description: "A tenth of the rounds is below low, a tenth above high",
  }),
  roundsPerHour: Amount,
  perDevice: Type.Object(
    {
      bytesUp: Amount,
      bytesDown: Amount,
      seconds: Amount,
    },
    { description: "Of a device that takes part in a round" },
  ),
  perRound: Type.Object({ bytesUp: Amount, bytesDown: Amount, cohort: Amount, dropouts: Amount }),
  /** CPU time of a round. */
  coordinatorCpuSeconds: Type.Number({
    minimum: 0,
    description: "At most: the simulated devices' half of the protocol is in it, their training is not",
  }),
  caveats: readonlyArray(textEnum(ESTIMATE_CAVEATS)),
  curve: readonlyArray(
    Type.Object({
      round: Count,
      seconds: Amount,
      accuracy: nullable(Type.Number()),
      loss: nullable(Type.Number()),
    }),
  ),
});

export type EstimateResult = Static<typeof EstimateResult>;

/** `GET /v1/estimates/:id` */
export const EstimateView = Type.Object({
  id: Type.String({ pattern: "^[0-9a-f]{32}$" }),
  state: textEnum(ESTIMATE_STATES),
  createdAt: TimestampSchema,
  progress: Type.Object({
    /** Committed so far. */
    rounds: Count,
    /** Of the simulated clock. */
    clockSeconds: Amount,
    accuracy: nullable(Type.Number()),
    /** Of the budget, 0 to 1. */
    share: Type.Number({ minimum: 0, maximum: 1 }),
  }),
  error: nullable(Type.Object({ code: Type.String(), message: Type.String() })),
  result: nullable(EstimateResult),
});
export type EstimateView = Static<typeof EstimateView>;

export const EstimateParams = Type.Object({ id: Type.String({ pattern: "^[0-9a-f]{32}$" }) });

/** `POST /v1/tasks/validation`: the document with its defaults filled in, and what the coordinator made of it. */
export const TaskValidation = Type.Object({ spec: TaskSpec });
