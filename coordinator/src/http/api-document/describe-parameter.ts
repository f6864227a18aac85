import type { Json, Parameter } from "./openapi.ts";

/** What a parameter of this name is, wherever it stands. */
const PARAMETERS: Readonly<Record<string, { readonly description: string; readonly example: Json }>> = {
  model: { description: "Name of a model", example: "digits" },
  version: { description: "Number of a version", example: 3 },
  task: { description: "Name of a task", example: "digits-training" },
  roundId: { description: "Id of a round", example: "digits-training-12" },
  rollout: { description: "Name of a rollout", example: "r1" },
  channel: { description: "Name of a channel", example: "stable" },
  alias: { description: "What a version is called", example: "champion" },
  device: { description: "Id of a device", example: "9f86d081884c7d659a2feaa0c55ad015" },
  population: { description: "Name of a population", example: "default" },
  role: { description: "Role of the release", example: "timestamp" },
  digest: {
    description: "SHA-256, in hex",
    example: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
  },
  file: { description: "Name of a metadata file", example: "timestamp.json" },
  path: {
    description: "Path of a target, its SHA-256 before its name",
    example: "models/digits/stable.json",
  },
  step: { description: "Step of secure aggregation", example: "mask" },
  member: { description: "Place in the cohort", example: 4 },
  limit: { description: "At most so many", example: 100 },
  cursor: { description: "`next` of the page before; left out: the first page", example: "40" },
  start: { description: "From this index on", example: 0 },
  lastEventId: { description: "As Last-Event-ID, for an EventSource that is new", example: "1042" },
};

/** Fills in what a parameter is, and an example, where its schema does not say. */
export function describeParameter(parameter: Parameter): Parameter {
  const known = PARAMETERS[parameter.name];
  return known === undefined ? parameter : { ...known, ...parameter };
}
