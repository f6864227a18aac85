import { failure } from "@tributary/core";
import { allowedValues, isAllowed } from "./parameters.ts";
import type { Fault, Parameters, Strategy, StrategyDefinition, StrategyTask } from "./strategy.ts";

/** What a task's document says: a name, and the parameters that are not left at their defaults. */
export interface StrategyChoice {
  readonly name: string;
  readonly parameters: Parameters;
}

/** A chosen strategy, checked against its task. */
export interface ChosenStrategy {
  /** With every parameter, to be recorded. */
  readonly choice: StrategyChoice;
  readonly strategy: Strategy;
}

export interface StrategyRegistry {
  readonly definitions: readonly StrategyDefinition[];
  /**
   * Fills in the defaults and checks everything about a choice.
   *
   * @throws `aggregation/invalid-strategy`, `aggregation/incompatible-strategy`, with `path` and `problem` in `detail`
   */
  choose(choice: StrategyChoice, task: StrategyTask): ChosenStrategy;
}

/** Names of the literature that a task asks for elsewhere. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  fedProx: "FedProx is a setting of the devices: set /local/proximalTerm, with any strategy",
  fedSgd:
    "FedSGD is fedAvg with one step of a device: set /local/epochs to 1 and /local/maxExamples to /local/batchSize",
};

/** RangeError when two definitions have the same name, or a default is not allowed by its own range. */
export function createStrategyRegistry(definitions: readonly StrategyDefinition[]): StrategyRegistry {
  const byName = new Map<string, StrategyDefinition>();
  for (const definition of definitions) {
    const { name, parameters } = definition;
    if (!/^[a-z][A-Za-z0-9]{0,62}$/.test(name)) {
      throw new RangeError(`strategies: a name in camel case expected, got "${name}"`);
    }
    if (byName.has(name)) throw new RangeError(`strategies: "${name}" is registered twice`);
    for (const [key, parameter] of Object.entries(parameters)) {
      if (!isAllowed(parameter, parameter.default)) {
        throw new RangeError(`strategies: the default of ${name}.${key} must be ${allowedValues(parameter)}`);
      }
    }
    byName.set(name, definition);
  }

  const choose = (choice: StrategyChoice, task: StrategyTask): ChosenStrategy => {
    const definition = byName.get(choice.name);
    if (definition === undefined) {
      const hint = Object.hasOwn(ELSEWHERE, choice.name) ? `; ${ELSEWHERE[choice.name]}` : "";
      throw refused("aggregation/invalid-strategy", {
        path: "/strategy/name",
        problem: `must be one of ${[...byName.keys()].join(", ")}, got ${JSON.stringify(choice.name)}${hint}`,
      });
    }
    const parameters = completed(definition, choice.parameters);
    const fault =
      groupingFault(definition, task) ??
      trustedFault(definition, task) ??
      definition.check?.(parameters, task);
    if (fault !== undefined) throw refused("aggregation/incompatible-strategy", fault);
    return {
      choice: { name: definition.name, parameters },
      strategy: definition.create(parameters, task),
    };
  };

  return { definitions: [...definitions], choose };
}

/** Where the server sees sums only, a strategy that compares needs several of them. */
function groupingFault(
  { name, needsSingleUpdates, comparesGroups }: StrategyDefinition,
  { secureAggregation, groups }: StrategyTask,
): Fault | undefined {
  if (needsSingleUpdates === undefined) return undefined;
  const path = "/strategy/name";
  if (groups !== null) {
    if (comparesGroups === true) return undefined;
    return {
      path,
      problem: `${name} is ruled out by buffered mode, whose versions are made of sums over cohorts: ${needsSingleUpdates}; choose another, or "mode": { "type": "synchronous" }`,
    };
  }
  if (!secureAggregation) return undefined;
  const instead =
    comparesGroups === true
      ? 'choose another, have it compare the means of cohorts with "mode": { "type": "buffered" }'
      : "choose another";
  return {
    path,
    problem: `${name} is ruled out by secure aggregation: ${needsSingleUpdates}; ${instead}, or opt out with "secureAggregation": { "mode": "off" }`,
  };
}

function trustedFault(
  { name, needsTrustedDataset }: StrategyDefinition,
  { trustedDataset }: StrategyTask,
): Fault | undefined {
  const path = "/strategy/trustedDataset";
  if (needsTrustedDataset !== undefined && !trustedDataset) {
    return {
      path,
      problem: `is needed by ${name}: ${needsTrustedDataset}; POST a safetensors file of trusted examples to /v1/blobs, and name its digest here`,
    };
  }
  if (needsTrustedDataset === undefined && trustedDataset) {
    return { path, problem: `is not used by ${name}; leave it out, or name flTrust` };
  }
  return undefined;
}

function completed(definition: StrategyDefinition, given: Parameters): Parameters {
  const known = Object.keys(definition.parameters);
  const unknown = Object.keys(given).find((key) => !known.includes(key));
  if (unknown !== undefined) {
    throw refused("aggregation/invalid-strategy", {
      path: `/strategy/parameters/${unknown}`,
      problem: `is no parameter of ${definition.name}; it has ${known.join(", ") || "none"}`,
    });
  }
  return Object.fromEntries(
    Object.entries(definition.parameters).map(([key, parameter]) => {
      const value: unknown = Object.hasOwn(given, key) ? given[key] : parameter.default;
      if (!isAllowed(parameter, value)) {
        throw refused("aggregation/invalid-strategy", {
          path: `/strategy/parameters/${key}`,
          problem: `must be ${allowedValues(parameter)}, got ${JSON.stringify(value)}`,
        });
      }
      return [key, value];
    }),
  );
}

function refused(
  code: "aggregation/invalid-strategy" | "aggregation/incompatible-strategy",
  { path, problem }: Fault,
): Error {
  return failure(code, `task at ${path} ${problem}`, {
    detail: { document: "task", path, problem: problem.slice(0, 400) },
  });
}
