import { localSteps } from "../fed-nova.ts";
import { scaffoldServer } from "../scaffold.ts";
import type { ServerOptimizer } from "../server-optimizer.ts";
import type { StrategyState } from "../strategy-state.ts";
import { learningRate } from "./server-strategies.ts";
import type { Fault, Parameters, StrategyDefinition, StrategyTask } from "./strategy.ts";

/** Engines of devices whose storage lasts. */
const DURABLE = ["ort-node", "ort-wasm"];

/**
 * SCAFFOLD: the server's control variate is its state, under `control`; `since` is the version that it began with, so that devices
 * know which of what they keep belongs to it.
 */
export const scaffoldStrategy: StrategyDefinition = {
  name: "scaffold",
  description:
    "The mean of updates whose steps are corrected by how far a device's gradients lie from everybody's.",
  parameters: {
    learningRate: learningRate(1),
    population: {
      type: "integer",
      default: 0,
      minimum: 0,
      maximum: 100_000_000,
      description: "N: devices that take part in the task, over all rounds; to be named",
    },
  },
  needsSingleUpdates:
    "the server divides the update of each device by its steps, to know its control variate",
  check: scaffoldFault,
  create: (parameters, { local }) => ({
    aggregation: { kind: "controlled", steps: (numExamples) => localSteps(numExamples, local) },
    optimizer: scaffoldOptimizer(parameters),
  }),
};

function scaffoldFault(
  { population }: Parameters,
  { cohort, local, adapters, engines }: StrategyTask,
): Fault | undefined {
  if (population! < cohort.goalCount) {
    return {
      path: "/strategy/parameters/population",
      problem: `must be the number of devices that take part, at least goalCount (${cohort.goalCount}), got ${population}`,
    };
  }
  if (local.optimizer !== "sgd") {
    return {
      path: "/local/optimizer",
      problem: `must be sgd with scaffold: a control variate is the mean of plain gradients, got ${local.optimizer}`,
    };
  }
  if (local.proximalTerm !== null)
    return { path: "/local/proximalTerm", problem: "must be null with scaffold" };
  if (adapters) {
    return {
      path: "/adapters",
      problem: "must be null with scaffold: adapters begin at zero in every round",
    };
  }
  if (engines.length > 0 && !engines.some((engine) => DURABLE.includes(engine))) {
    return {
      path: "/eligibility/engines",
      problem: `must have one of ${DURABLE.join(", ")} with scaffold: browsers may lose what a device has to keep from round to round`,
    };
  }
  return undefined;
}

function scaffoldOptimizer({ learningRate: rate, population }: Parameters): ServerOptimizer<StrategyState> {
  const server = scaffoldServer({ learningRate: rate!, population: population! });
  return {
    init: (parameters) => ({ numbers: {}, sets: { control: server.init(parameters) } }),
    update(mean, { numbers, sets }, round) {
      const control = sets["control"];
      if (control === undefined || round?.perStep === undefined)
        throw new TypeError("scaffold: a control variate and a mean by steps expected");
      const { updates, baseVersion, learningRate: localRate, perStep } = round;
      const change = server.changeOf(control, perStep, localRate);
      const participants = Math.min(updates, population!);
      const next = server.update({ update: mean, change, participants }, control);
      return {
        step: next.step,
        state: { numbers: { since: numbers["since"] ?? baseVersion }, sets: { control: next.control } },
      };
    },
  };
}
