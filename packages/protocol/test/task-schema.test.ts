import { asDigest } from "@tributary/core";
import type { TSchema } from "typebox";
import { Check } from "typebox/value";
import { describe, expect, test } from "vitest";
import { parseTaskSpec, TASK_SCHEMA, TASK_SCHEMA_ID } from "../src/index.ts";

// As any validator would: the schema has no memory of how it was made.
const published = JSON.parse(JSON.stringify(TASK_SCHEMA)) as TSchema;

const accepted = [
  { name: "t", model: "m" },
  { $schema: "http://127.0.0.1:7700/schemas/task.json", formatVersion: 1, name: "t", model: "m" },
  { name: "t", model: "m", rounds: 5, local: { epochs: 2 }, cohort: { goalCount: 40 } },
  { name: "t", model: "m", stop: { targetMetric: { value: 0.1 }, noImprovement: {} } },
  { name: "t", model: "m", schedule: { windows: [{ cron: "0 22 * * *", durationMs: 3_600_000 }] } },
  { name: "t", model: "m", eligibility: { battery: {}, engines: ["ort-wasm"], localeTags: ["de", "pt-BR"] } },
  { name: "t", model: "m", evaluation: { dataset: asDigest("ab".repeat(32)) } },
];
const refused: readonly (readonly [object, string])[] = [
  [{ model: "m" }, "lacks name"],
  [{ name: "t", model: "m", formatVersion: 2 }, "/formatVersion must be 1"],
  [{ name: "t", model: "m", round: 5 }, "has unknown properties: round"],
  [
    { name: "t", model: "m", stop: { targetMetric: { name: "auc", value: 1 } } },
    "/stop/targetMetric/name must be one of loss, accuracy",
  ],
  [{ name: "t", model: "m", stop: { targetMetric: {} } }, "/stop/targetMetric lacks name, value"],
  [
    { name: "t", model: "m", eligibility: { engines: ["gpu"] } },
    "/eligibility/engines/0 must be one of ort-webgpu, ort-wasm, ort-node",
  ],
  [{ name: "t", model: "m", retries: { backoffMs: 1 } }, "/retries/backoffMs must be >= 100"],
  [{ name: "t", model: "m", selection: { fairness: 1.5 } }, "/selection/fairness must be <= 1"],
];

describe("the published schema of task documents", () => {
  test("says its version, and asks for name and model alone", () => {
    expect(TASK_SCHEMA).toMatchObject({ $id: TASK_SCHEMA_ID, required: ["name", "model"] });
    expect(published).not.toHaveProperty("properties.local.required");
  });

  test.each(accepted)("takes %j, as the coordinator does", (document) => {
    expect(Check(published, document)).toBe(true);
    const spec = parseTaskSpec(document);
    expect(spec).not.toHaveProperty("$schema");
    // What was filled in is a document too.
    expect(Check(published, spec)).toBe(true);
  });

  test.each(refused)("refuses %j, as the coordinator does, which says: %s", (document, message) => {
    expect(Check(published, document)).toBe(false);
    expect(() => parseTaskSpec(document)).toThrow(message);
  });
});
