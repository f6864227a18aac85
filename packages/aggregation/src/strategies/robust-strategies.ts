import { flTrust } from "../robust/fl-trust.ts";
import { geometricMedian } from "../robust/geometric-median.ts";
import { krum, krumMinimum, multiKrum } from "../robust/krum.ts";
import { normBound } from "../robust/norm-bound.ts";
import { coordinateMedian, trimmedCount, trimmedMean } from "../robust/order-statistics.ts";
import type { RobustRule } from "../robust/robust-rule.ts";
import { serverSgd } from "../server-optimizer.ts";
import type { StrategyParameter } from "./parameters.ts";
import { learningRate } from "./server-strategies.ts";
import type { Fault, Parameters, Strategy, StrategyDefinition, StrategyTask } from "./strategy.ts";

/** Most updates that krum compares two by two. */
const MOST_HOSTILE = 1_000;

const hostile: StrategyParameter = {
  type: "integer",
  default: 1,
  minimum: 0,
  maximum: MOST_HOSTILE,
  description: "Hostile updates to withstand; needs twice as many and 3 in each round",
};

function stepOf({ learningRate: rate }: Parameters, rule: RobustRule): Strategy {
  return { aggregation: { kind: "robust", rule }, optimizer: serverSgd({ learningRate: rate! }) };
}

/** What such a strategy compares: the updates of a round, or the means of the cohorts in a buffer. */
function rowsFault({ cohort, groups }: StrategyTask, minimum: number, why: string): Fault | undefined {
  if (groups === null) {
    if (cohort.minimumCount >= minimum) return undefined;
    return {
      path: "/cohort/minimumCount",
      problem: `must be at least ${minimum} ${why}, got ${cohort.minimumCount}`,
    };
  }
  if (groups >= minimum) return undefined;
  return {
    path: "/mode/bufferSize",
    problem: `must be above ${(minimum - 1) * cohort.goalCount}, for ${minimum} cohorts of up to ${cohort.goalCount}, ${why}; as it is, ${groups} may fill the buffer`,
  };
}

function krumFault({ hostile: count }: Parameters, task: StrategyTask): Fault | undefined {
  const what = task.groups === null ? "updates" : "cohorts, each of which one hostile device may spoil";
  return rowsFault(task, krumMinimum(count!), `to withstand ${count} hostile ${what}`);
}

function trimFault({ trim }: Parameters, task: StrategyTask): Fault | undefined {
  if (trimmedCount(trim!, task.groups ?? task.cohort.minimumCount) >= 1) return undefined;
  return rowsFault(task, Math.ceil(1 / trim!), `for trim ${trim} to drop any`);
}

/** The middle of fewer than three is no protection from one; in a round that is the operator's to choose. */
function middleFault(_: Parameters, task: StrategyTask): Fault | undefined {
  return task.groups === null ? undefined : rowsFault(task, 3, "to withstand one hostile cohort");
}

/** Strategies that withstand hostile updates. Each has to compare updates, and a sum shows none; several sums can be compared. */
export const robustStrategies: readonly StrategyDefinition[] = [
  {
    name: "coordinateMedian",
    description: "The median of every coordinate.",
    parameters: { learningRate: learningRate(1) },
    needsSingleUpdates: "a median needs the value of each device",
    comparesGroups: true,
    check: middleFault,
    create: (parameters) => stepOf(parameters, coordinateMedian()),
  },
  {
    name: "trimmedMean",
    description: "The mean of every coordinate without its extremes.",
    parameters: {
      learningRate: learningRate(1),
      trim: {
        type: "number",
        default: 0.1,
        exclusiveMinimum: 0,
        exclusiveMaximum: 0.5,
        description: "Share of the updates dropped at each end",
      },
    },
    needsSingleUpdates: "a trimmed mean needs the value of each device",
    comparesGroups: true,
    check: trimFault,
    create: (parameters) => stepOf(parameters, trimmedMean({ trim: parameters["trim"]! })),
  },
  {
    name: "krum",
    description: "The one update that lies closest to its neighbours.",
    parameters: { learningRate: learningRate(1), hostile },
    needsSingleUpdates: "krum compares the updates of all devices",
    comparesGroups: true,
    check: krumFault,
    create: (parameters) => stepOf(parameters, krum({ hostile: parameters["hostile"]! })),
  },
  {
    name: "multiKrum",
    description: "The mean of the updates that lie closest to their neighbours.",
    parameters: {
      learningRate: learningRate(1),
      hostile,
      keep: {
        type: "integer",
        default: 0,
        minimum: 0,
        maximum: 100_000,
        description: "Updates that are averaged; 0: all but as many as are hostile",
      },
    },
    needsSingleUpdates: "multiKrum compares the updates of all devices",
    comparesGroups: true,
    check: krumFault,
    create: (parameters) =>
      stepOf(parameters, multiKrum({ hostile: parameters["hostile"]!, keep: parameters["keep"]! })),
  },
  {
    name: "geometricMedian",
    description: "The point with the least sum of distances to the updates, weighted by examples.",
    parameters: {
      learningRate: learningRate(1),
      iterations: {
        type: "integer",
        default: 4,
        minimum: 1,
        maximum: 100,
        description: "Rounds of reweighting; each reads all updates",
      },
      smoothing: {
        type: "number",
        default: 1e-6,
        exclusiveMinimum: 0,
        maximum: 1,
        description: "Distances below this count as this",
      },
    },
    needsSingleUpdates: "the server weighs the update of each device by its distance to the centre",
    comparesGroups: true,
    check: middleFault,
    create: (parameters) =>
      stepOf(
        parameters,
        geometricMedian({ iterations: parameters["iterations"]!, smoothing: parameters["smoothing"]! }),
      ),
  },
  {
    name: "normBound",
    description: "The mean of updates scaled down to a norm, weighted by examples.",
    parameters: {
      learningRate: learningRate(1),
      maxNorm: {
        type: "number",
        default: 1,
        exclusiveMinimum: 0,
        maximum: 1e12,
        description: "L2 norm that an update counts with at most",
      },
    },
    needsSingleUpdates: "the server scales the update of each device",
    comparesGroups: true,
    create: (parameters) => stepOf(parameters, normBound({ maxNorm: parameters["maxNorm"]! })),
  },
  {
    name: "flTrust",
    description:
      "Updates weighed by their angle to one that the server trains on trusted examples, and brought to its norm.",
    parameters: { learningRate: learningRate(1) },
    needsSingleUpdates: "the server compares the update of each device with its own",
    comparesGroups: true,
    needsTrustedDataset: "the server trains an update of its own on them in each round",
    check: (_, task) =>
      task.groups === null ? undefined : rowsFault(task, 2, "to weigh one against another"),
    create: ({ learningRate: rate }) => ({
      aggregation: { kind: "trusted", ruleOf: flTrust },
      optimizer: serverSgd({ learningRate: rate! }),
    }),
  },
];
