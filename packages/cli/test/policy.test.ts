import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApiClient } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { buildLinear } from "@tributary/onnx";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EXIT_CODES } from "../src/exit-codes.ts";
import { runMain, type MainResult } from "./run-main.ts";

let folder: string;
let coordinator: Coordinator;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tributary-policy-"));
  coordinator = await createCoordinator({ dataDir: join(folder, "data"), port: 0, logLevel: "silent" });
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.publishModel("digits", buildLinear({ seed: 1 }));
});
afterAll(async () => {
  await coordinator.close();
  await rm(folder, { recursive: true });
});

const policy = (...args: string[]): Promise<MainResult> =>
  runMain("policy", ...args, "--url", coordinator.url, "--data-dir", join(folder, "data"));

test("a policy is set from a file, stopped and started, shown as it may be set again, and removed", async () => {
  expect((await policy("list")).stdout).toBe("no policies: operators decide\n");
  const file = join(folder, "follow.json");
  const does = { kind: "promote", model: "digits", by: "release" };
  await writeFile(file, JSON.stringify({ name: "follow", does }));
  expect((await policy("set", file)).stdout).toMatch(/^policy +does .*\nfollow +promote +digits by release /);
  expect(JSON.parse((await policy("disable", "follow", "--json")).stdout)).toMatchObject({ enabled: false });
  await writeFile(file, (await policy("show", "follow")).stdout);
  expect(JSON.parse((await policy("set", file, "--json")).stdout)).toMatchObject({ enabled: false, does });
  expect((await policy("enable", "follow")).code).toBe(EXIT_CODES.done);
  const { policies } = JSON.parse((await policy("list", "--json")).stdout) as { policies: unknown[] };
  expect(policies).toMatchObject([{ name: "follow", enabled: true }]);
  expect((await policy("decisions", "--limit", "1")).stdout).toBe("nothing was decided yet\n");
  expect((await policy("remove", "follow")).stdout).toBe("policy follow was removed\n");
  expect((await policy("show", "follow")).code).toBe(EXIT_CODES.notFound);
});
