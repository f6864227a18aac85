import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { generateTypes } from "../../packages/api-client/scripts/generate-types.ts";
import { type Coordinator, createCoordinator } from "../src/index.ts";

// The api-client's types are generated from the document that a running coordinator serves. When a route changes:
//   pnpm exec vitest run --project unit coordinator/test/api-document.test.ts -u

const GENERATED = join(import.meta.dirname, "../../packages/api-client/src/generated");

let dataDir: string;
let coordinator: Coordinator;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tributary-api-"));
  coordinator = await createCoordinator({ dataDir, port: 0, logLevel: "silent" });
});

afterAll(async () => {
  await coordinator?.close();
  await rm(dataDir, { recursive: true, force: true });
});

test("the api-client is generated from the document the coordinator serves", async () => {
  const response = await fetch(`${coordinator.url}/openapi.json`);
  const document: unknown = await response.json();
  await expect(`${JSON.stringify(document, null, 2)}\n`).toMatchFileSnapshot(join(GENERATED, "openapi.json"));
  await expect(await generateTypes(document)).toMatchFileSnapshot(join(GENERATED, "api.ts"));
});
