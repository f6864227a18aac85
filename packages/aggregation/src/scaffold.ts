import { parameterSet, requireSameSchema, type ParameterSet } from "@tributary/tensor";
import { requireSetting } from "./settings.ts";

/**
 * SCAFFOLD's control variates (Karimireddy et al. 2020, https://arxiv.org/abs/1910.06378, option II): how far a device's
 * gradients lie from everybody's. A device's step goes along g - own + server instead of its gradient g; it keeps its own
 * over rounds, so it needs storage that lasts.
 */

/**
 * A device's control after training, and its change: own' = own - server - update / (steps * learningRate). The change
 * depends on nothing that the server does not know, see `changeOf`.
 */
export function scaffoldClientControl(input: {
  readonly own: ParameterSet;
  readonly server: ParameterSet;
  /** Trained minus base weights. */
  readonly update: ParameterSet;
  readonly steps: number;
  /** Of the device. */
  readonly learningRate: number;
}): { readonly control: ParameterSet; readonly change: ParameterSet } {
  const { own, server, update, steps, learningRate } = input;
  requireSetting("scaffold", "steps", steps, Number.isSafeInteger(steps) && steps >= 1);
  requireSetting("scaffold", "learningRate", learningRate, learningRate > 0);
  requireSameSchema(own.schema, server.schema);
  requireSameSchema(own.schema, update.schema);
  const control = parameterSet(own.schema);
  const change = parameterSet(own.schema);
  for (let i = 0; i < control.values.length; i++) {
    const next = own.values[i]! - server.values[i]! - update.values[i]! / (steps * learningRate);
    control.values[i] = next;
    change.values[i] = next - own.values[i]!;
  }
  return { control, change };
}

/**
 * The server's half of a round: x += learningRate * mean update; c += (participants / population) * mean change. Means
 * are over the participants, each counting the same.
 */
export function scaffoldServer(options: { readonly learningRate?: number; readonly population: number }) {
  const { learningRate = 1, population } = options;
  requireSetting("scaffold", "learningRate", learningRate, learningRate > 0);
  requireSetting("scaffold", "population", population, Number.isSafeInteger(population) && population >= 1);
  return {
    /**
     * The mean change of the participants' controls, as each of them computes its own: all of it follows from what the
     * server has anyway, so that it need not be sent.
     *
     * @param perStep mean of the updates, each divided by its steps
     * @param localRate learning rate of the devices
     */
    changeOf(control: ParameterSet, perStep: ParameterSet, localRate: number): ParameterSet {
      requireSetting("scaffold", "learningRate", localRate, localRate > 0);
      requireSameSchema(control.schema, perStep.schema);
      const change = parameterSet(control.schema);
      for (let i = 0; i < change.values.length; i++)
        change.values[i] = -control.values[i]! - perStep.values[i]! / localRate;
      return change;
    },
    /** The server's control before the first round. */
    init: ({ schema }: ParameterSet): ParameterSet => parameterSet(schema),
    update(
      means: { readonly update: ParameterSet; readonly change: ParameterSet; readonly participants: number },
      control: ParameterSet,
    ): { readonly step: ParameterSet; readonly control: ParameterSet } {
      const { update, change, participants } = means;
      requireSetting(
        "scaffold",
        "participants",
        participants,
        participants >= 1 && participants <= population,
      );
      requireSameSchema(control.schema, change.schema);
      const step = parameterSet(update.schema);
      const next = parameterSet(control.schema);
      const share = participants / population;
      for (let i = 0; i < step.values.length; i++) {
        step.values[i] = learningRate * update.values[i]!;
        next.values[i] = control.values[i]! + share * change.values[i]!;
      }
      return { step, control: next };
    },
  };
}
