import { fedAvgM } from "../fed-avg-m.ts";
import { localNorm, localSteps } from "../fed-nova.ts";
import { fedAdagrad, fedAdam, fedYogi } from "../fed-opt.ts";
import { serverSgd } from "../server-optimizer.ts";
import type { StrategyParameter } from "./parameters.ts";
import type { Fault, StrategyDefinition, StrategyTask } from "./strategy.ts";

const MEAN = { kind: "mean" } as const;

/** Of the server. */
export const learningRate = (value: number): StrategyParameter => ({
  type: "number",
  default: value,
  exclusiveMinimum: 0,
  maximum: 100,
  description: "Of the server: scales the step",
});
const decay = (value: number, description: string): StrategyParameter => ({
  type: "number",
  default: value,
  minimum: 0,
  exclusiveMaximum: 1,
  description,
});
const adaptive = {
  learningRate: learningRate(0.1),
  tau: {
    type: "number",
    default: 1e-3,
    exclusiveMinimum: 0,
    maximum: 1,
    description: "Keeps the divisor off zero; smaller adapts more",
  },
} as const satisfies StrategyDefinition["parameters"];
const momentum = (value: number) => decay(value, "Decay of the momentum");
const variance = decay(0.99, "Decay of the variance");

/** Strategies for which the sum of a round is enough, but for FedNova, which weighs updates one by one. */
export const serverStrategies: readonly StrategyDefinition[] = [
  {
    name: "fedAvg",
    description: "The mean of the updates, weighted by examples.",
    parameters: { learningRate: learningRate(1) },
    create: (parameters) => ({ aggregation: MEAN, optimizer: serverSgd(parameters) }),
  },
  {
    name: "fedAvgM",
    description: "The mean of the updates, with momentum on the server.",
    parameters: { learningRate: learningRate(1), momentum: momentum(0.9) },
    create: (parameters) => ({ aggregation: MEAN, optimizer: fedAvgM(parameters) }),
  },
  {
    name: "fedAdagrad",
    description: "The mean of the updates, in steps that shrink where they add up to much.",
    parameters: { ...adaptive, beta1: momentum(0) },
    create: (parameters) => ({ aggregation: MEAN, optimizer: fedAdagrad(parameters) }),
  },
  {
    name: "fedAdam",
    description: "The mean of the updates, in Adam's steps without bias correction.",
    parameters: { ...adaptive, beta1: momentum(0.9), beta2: variance },
    create: (parameters) => ({ aggregation: MEAN, optimizer: fedAdam(parameters) }),
  },
  {
    name: "fedYogi",
    description: "As fedAdam, with a variance that grows slower.",
    parameters: { ...adaptive, beta1: momentum(0.9), beta2: variance },
    create: (parameters) => ({ aggregation: MEAN, optimizer: fedYogi(parameters) }),
  },
  {
    name: "fedBuff",
    description: "In buffered mode: the mean of cohorts, each discounted by its staleness.",
    parameters: { learningRate: learningRate(1) },
    check: fedBuffFault,
    create: (parameters) => ({ aggregation: MEAN, optimizer: serverSgd(parameters) }),
  },
  {
    name: "fedNova",
    description: "The mean of updates that are divided by the local steps behind them.",
    parameters: { learningRate: learningRate(1) },
    needsSingleUpdates: "the server divides the update of each device by its steps",
    check: fedNovaFault,
    create: (parameters, { local }) => ({
      aggregation: {
        kind: "normalised",
        norm: (numExamples) => {
          const steps = localSteps(numExamples, local);
          return localNorm(local.optimizer === "momentum" ? { steps, momentum: local.momentum } : { steps });
        },
      },
      optimizer: serverSgd(parameters),
    }),
  },
];

function fedBuffFault(_: unknown, { groups }: StrategyTask): Fault | undefined {
  if (groups !== null) return undefined;
  return {
    path: "/mode/type",
    problem:
      "must be buffered with fedBuff; in synchronous rounds no update is stale, and fedAvg is the same",
  };
}

function fedNovaFault(_: unknown, { local }: StrategyTask): Fault | undefined {
  if (local.optimizer !== "sgd" && local.optimizer !== "momentum") {
    return {
      path: "/local/optimizer",
      problem: `must be sgd or momentum with fedNova, which knows how far those go, got ${local.optimizer}`,
    };
  }
  if (local.proximalTerm !== null) {
    return { path: "/local/proximalTerm", problem: "must be null with fedNova" };
  }
  return undefined;
}
