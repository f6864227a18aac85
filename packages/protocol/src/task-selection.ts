import Type, { type Static } from "typebox";

const separation = {
  minimumSeparationMs: {
    minimum: 0,
    maximum: 365 * 86_400_000,
    description: "Least time between two participations of a device",
  },
  minimumSeparationRounds: {
    minimum: 0,
    maximum: 1_000_000,
    description: "Rounds of the task that a device sits out after each of its own",
  },
};

/** Of a plan: how often the task may ask a device; each device counts by itself. */
export const SeparationRules = Type.Object({
  minimumSeparationMs: Type.Integer(separation.minimumSeparationMs),
  minimumSeparationRounds: Type.Integer(separation.minimumSeparationRounds),
});
export type SeparationRules = Static<typeof SeparationRules>;

/** Of a task: who of the willing devices is asked. */
export const SelectionRules = Type.Object(
  {
    minimumSeparationMs: Type.Integer({ ...separation.minimumSeparationMs, default: 0 }),
    minimumSeparationRounds: Type.Integer({ ...separation.minimumSeparationRounds, default: 0 }),
    fairness: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 0.5,
      description:
        "0: by lot; 0.5: the chance grows with the rounds since a device was last asked; 1: strictly by turn",
    }),
  },
  { additionalProperties: false, default: {}, description: "Who of the willing devices is asked" },
);
export type SelectionRules = Static<typeof SelectionRules>;
