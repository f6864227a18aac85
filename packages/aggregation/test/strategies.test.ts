import { TributaryError } from "@tributary/core";
import {
  builtInStrategies,
  createStrategyRegistry,
  type StrategyDefinition,
  type StrategyTask,
} from "@tributary/aggregation";
import { describe, expect, test } from "vitest";

const strategies = createStrategyRegistry(builtInStrategies);
const task: StrategyTask = {
  secureAggregation: false,
  cohort: { minimumCount: 10, goalCount: 10 },
  groups: null,
  trustedDataset: false,
  local: { epochs: 2, batchSize: 10, optimizer: "sgd", momentum: 0.9, proximalTerm: null },
};

function refusal(name: string, parameters: Record<string, number> = {}, changes: Partial<StrategyTask> = {}) {
  try {
    strategies.choose({ name, parameters }, { ...task, ...changes });
  } catch (error) {
    if (!TributaryError.is(error)) throw error;
    return `${error.code} ${String(error.detail["path"])} ${String(error.detail["problem"])}`;
  }
  return undefined;
}

test("every strategy can be chosen with nothing but its name, and says all it will run with", () => {
  for (const { name, parameters } of builtInStrategies) {
    const groups = name === "fedBuff" ? 2 : null;
    const trustedDataset = name === "flTrust";
    const { choice, strategy } = strategies.choose(
      { name, parameters: {} },
      { ...task, groups, trustedDataset },
    );
    expect(choice.name).toBe(name);
    expect(Object.keys(choice.parameters)).toEqual(Object.keys(parameters));
    expect(strategy.aggregation.kind).toMatch(/^(mean|normalised|robust|trusted)$/);
  }
  expect(builtInStrategies.map(({ name }) => name)).toEqual([
    "fedAvg",
    "fedAvgM",
    "fedAdagrad",
    "fedAdam",
    "fedYogi",
    "fedBuff",
    "fedNova",
    "coordinateMedian",
    "trimmedMean",
    "krum",
    "multiKrum",
    "geometricMedian",
    "normBound",
    "flTrust",
  ]);
});

test("fedAdam, fedYogi and fedAdagrad have the paper's settings", () => {
  const { parameters } = strategies.choose(
    { name: "fedAdam", parameters: { learningRate: 0.01 } },
    task,
  ).choice;
  expect(parameters).toEqual({ learningRate: 0.01, tau: 1e-3, beta1: 0.9, beta2: 0.99 });
  expect(strategies.choose({ name: "fedAdagrad", parameters: {} }, task).choice.parameters["beta1"]).toBe(0);
});

test("fedNova knows the steps of a device", () => {
  const chosen = (local: Partial<StrategyTask["local"]>) => {
    const { aggregation } = strategies.choose(
      { name: "fedNova", parameters: {} },
      { ...task, local: { ...task.local, ...local } },
    ).strategy;
    if (aggregation.kind !== "normalised") throw new TypeError("fedNova normalises");
    return aggregation.norm(25);
  };
  expect(chosen({})).toBe(6);
  expect(chosen({ optimizer: "momentum", momentum: 0.5 })).toBeGreaterThan(6);
});

describe("a refusal names the field and what is allowed", () => {
  test.each([
    ["fedAdem", {}, "aggregation/invalid-strategy /strategy/name must be one of fedAvg, fedAvgM, "],
    ["toString", {}, "aggregation/invalid-strategy /strategy/name must be one of"],
    [
      "fedAdam",
      { beta3: 1 },
      "aggregation/invalid-strategy /strategy/parameters/beta3 is no parameter of fedAdam; it has learningRate, tau, beta1, beta2",
    ],
    [
      "fedAdam",
      { beta2: 1 },
      "aggregation/invalid-strategy /strategy/parameters/beta2 must be a number of at least 0 and below 1, got 1",
    ],
    [
      "fedAvg",
      { learningRate: 0 },
      "aggregation/invalid-strategy /strategy/parameters/learningRate must be a number above 0 and at most 100, got 0",
    ],
    [
      "krum",
      { hostile: 1.5 },
      "aggregation/invalid-strategy /strategy/parameters/hostile must be an integer of at least 0 and at most 1000, got 1.5",
    ],
    [
      "krum",
      { hostile: 4 },
      "aggregation/incompatible-strategy /cohort/minimumCount must be at least 11 to withstand 4 hostile updates, got 10",
    ],
    [
      "trimmedMean",
      { trim: 0.05 },
      "aggregation/incompatible-strategy /cohort/minimumCount must be at least 20 for trim 0.05 to drop any, got 10",
    ],
  ])("%s %o", (name, parameters, expected) => {
    expect(refusal(name, parameters as Record<string, number>)).toContain(expected);
  });

  test("devices' settings are told where they are", () => {
    expect(refusal("fedProx")).toContain("set /local/proximalTerm");
    expect(refusal("fedSgd")).toContain("set /local/epochs to 1");
  });

  test("fedNova with a local optimizer whose reach it does not know", () => {
    const local = (changes: Partial<StrategyTask["local"]>) => ({ local: { ...task.local, ...changes } });
    expect(refusal("fedNova", {}, local({ optimizer: "adam" }))).toContain(
      "/local/optimizer must be sgd or momentum",
    );
    expect(refusal("fedNova", {}, local({ proximalTerm: 0.1 }))).toContain(
      "/local/proximalTerm must be null",
    );
  });

  test("what secure aggregation rules out, and why", () => {
    const refused = builtInStrategies.filter(
      ({ name }) => refusal(name, {}, { secureAggregation: true })?.includes("ruled out") === true,
    );
    expect(refused.map(({ name }) => name)).toEqual([
      "fedNova",
      "coordinateMedian",
      "trimmedMean",
      "krum",
      "multiKrum",
      "geometricMedian",
      "normBound",
      "flTrust",
    ]);
    expect(refusal("krum", {}, { secureAggregation: true })).toBe(
      'aggregation/incompatible-strategy /strategy/name krum is ruled out by secure aggregation: krum compares the updates of all devices; choose another, have it compare the means of cohorts with "mode": { "type": "buffered" }, or opt out with "secureAggregation": { "mode": "off" }',
    );
  });

  test("what buffered mode rules out, and how many cohorts comparing needs, with sums or without", () => {
    for (const secureAggregation of [true, false]) {
      const refused = (groups: number) =>
        builtInStrategies.flatMap(({ name }) =>
          refusal(name, {}, { secureAggregation, groups, trustedDataset: name === "flTrust" }) === undefined
            ? []
            : [name],
        );
      expect(refused(10)).toEqual(["fedNova"]);
      expect(refused(3)).toEqual(["fedNova", "trimmedMean", "krum", "multiKrum"]);
    }
    expect(refusal("fedBuff")).toContain("/mode/type must be buffered with fedBuff");
    // f hostile devices may spoil f cohorts: 2f + 3 of them, more than twice as many.
    expect(refusal("krum", { hostile: 2 }, { groups: 6 })).toBe(
      "aggregation/incompatible-strategy /mode/bufferSize must be above 60, for 7 cohorts of up to 10, to withstand 2 hostile cohorts, each of which one hostile device may spoil; as it is, 6 may fill the buffer",
    );
    expect(refusal("coordinateMedian", {}, { groups: 2 })).toContain("for 3 cohorts of up to 10");
  });
});

test("trusted examples are for the strategies that need them", () => {
  expect(refusal("flTrust")).toContain("/strategy/trustedDataset is needed by flTrust: the server trains");
  expect(refusal("krum", {}, { trustedDataset: true })).toContain("is not used by krum");
  expect(refusal("flTrust", {}, { trustedDataset: true, groups: 1 })).toContain(
    "/mode/bufferSize must be above 10, for 2 cohorts",
  );
});

test("definitions that cannot be are refused when they are registered", () => {
  const [fedAvg] = builtInStrategies as [StrategyDefinition];
  expect(() => createStrategyRegistry([fedAvg, fedAvg])).toThrow("registered twice");
  expect(() => createStrategyRegistry([{ ...fedAvg, name: "fed-avg" }])).toThrow("camel case");
  const parameters = { x: { type: "integer", default: 0.5, description: "" } } as const;
  expect(() => createStrategyRegistry([{ ...fedAvg, parameters }])).toThrow(
    "default of fedAvg.x must be an integer",
  );
});
