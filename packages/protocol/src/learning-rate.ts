import Type, { type Static } from "typebox";
import { textEnum } from "./schema.ts";

export const LEARNING_RATE_SCHEDULES = ["constant", "step", "exponential", "cosine"] as const;

const FIELDS = {
  kind: textEnum(LEARNING_RATE_SCHEDULES, { default: "constant", description: "Changes by round" }),
  factor: Type.Optional(
    Type.Number({
      exclusiveMinimum: 0,
      maximum: 1,
      description: "step: every everyRounds rounds; exponential: every round",
    }),
  ),
  everyRounds: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, description: "step" })),
  totalRounds: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 1_000_000, description: "cosine: rounds until the end is reached" }),
  ),
  finalShare: Type.Optional(
    Type.Number({
      minimum: 0,
      maximum: 1,
      description: "cosine: of the learning rate, at the end; 0 if left out",
    }),
  ),
};
const strict = { additionalProperties: false };

/** How the devices' learning rate changes from round to round. What a kind does not use is left out. */
export const LearningRateSchedule = Type.Object(FIELDS, strict);
export type LearningRateSchedule = Static<typeof LearningRateSchedule>;
/** As a field that may be left out. */
export const DefaultLearningRateSchedule = Type.Object(FIELDS, { ...strict, default: {} });

const REQUIRED = {
  constant: [],
  step: ["factor", "everyRounds"],
  exponential: ["factor"],
  cosine: ["totalRounds"],
} as const satisfies Record<LearningRateSchedule["kind"], readonly (keyof LearningRateSchedule)[]>;
const OPTIONAL: Partial<Record<LearningRateSchedule["kind"], keyof LearningRateSchedule>> = {
  cosine: "finalShare",
};

/** The first field that its kind lacks or does not use, and what about it; undefined: the schedule is complete. */
export function scheduleFault(
  schedule: LearningRateSchedule,
): { readonly field: keyof LearningRateSchedule; readonly problem: string } | undefined {
  const { kind } = schedule;
  const required: readonly (keyof LearningRateSchedule)[] = REQUIRED[kind];
  const lacking = required.find((field) => schedule[field] === undefined);
  if (lacking !== undefined) return { field: lacking, problem: `is needed by the schedule ${kind}` };
  const stray = (Object.keys(schedule) as (keyof LearningRateSchedule)[]).find(
    (field) => field !== "kind" && field !== OPTIONAL[kind] && !required.includes(field),
  );
  if (stray !== undefined) return { field: stray, problem: `is not used by the schedule ${kind}` };
  return undefined;
}

/**
 * The learning rate of a round.
 *
 * @param round which step of its task begins at the round's base version, from 1: rounds that make no version do not count
 */
export function learningRateAt(initial: number, schedule: LearningRateSchedule, round: number): number {
  const { kind, factor = 1, everyRounds = 1, totalRounds = 1, finalShare = 0 } = schedule;
  switch (kind) {
    case "constant":
      return initial;
    case "step":
      return initial * factor ** Math.floor((round - 1) / everyRounds);
    case "exponential":
      return initial * factor ** (round - 1);
    case "cosine": {
      const progress = Math.min(1, (round - 1) / totalRounds);
      return initial * (finalShare + (1 - finalShare) * 0.5 * (1 + Math.cos(Math.PI * progress)));
    }
  }
}
