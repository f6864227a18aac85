import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApiClient, versionRanges } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { buildLinear } from "@tributary/onnx";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runMain, type MainResult } from "./run-main.ts";

let dataDir: string;
let coordinator: Coordinator;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tributary-retention-"));
  coordinator = await createCoordinator({ dataDir, port: 0, logLevel: "silent" });
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  for (let seed = 1; seed <= 5; seed++)
    await api.publishModel("digits", buildLinear({ seed }), { release: seed === 1 });
});
afterAll(async () => {
  await coordinator.close();
  await rm(dataDir, { recursive: true });
});

const model = (...args: string[]): Promise<MainResult> =>
  runMain("model", ...args, "--url", coordinator.url, "--data-dir", dataDir);
const offered = async (): Promise<number[]> => {
  const { stdout } = await model("retention", "digits", "--json");
  return (JSON.parse(stdout) as { offered: { version: number }[] }).offered.map(({ version }) => version);
};

test("versions are named in few words", () => {
  expect(versionRanges([4])).toBe("version 4");
  expect(versionRanges([9, 3, 2, 1])).toBe("versions 1 to 3 and 9");
  expect(versionRanges([1, 3, 5, 6])).toBe("versions 1, 3 and 5 to 6");
});

test("what a rule takes out of the release is told before, and nothing is done unasked", async () => {
  const asked = await model("retention", "digits", "--newest", "1");
  expect(asked.code).toBe(2);
  expect(asked.stderr).toContain(
    "Versions 2 to 4 of digits leave the release for good: no device can download them any more. Say so with --yes",
  );
  expect(await offered()).toEqual([5, 4, 3, 2, 1]);
  const done = await model("retention", "digits", "--newest", "1", "--yes");
  expect(done).toMatchObject({ code: 0, stderr: "" });
  expect(await offered()).toEqual([5, 1]);
});

test("whose files are deleted is told as well", async () => {
  const asked = await model("retention", "digits", "--delete-files");
  expect(asked.stderr).toContain("Files of versions 2 to 4 are deleted at the coordinator's next start.");
  const both = await model("retention", "digits", "--delete-files", "--keep-files");
  expect(both.code).toBe(2);
  // Nothing is lost by it.
  expect(await model("retention", "digits", "--keep-files")).toMatchObject({ code: 0, stderr: "" });
});

test("a version that was retired is not said to be unknown", async () => {
  const { stdout } = await runMain("versions", "digits", "--url", coordinator.url, "--data-dir", dataDir);
  expect(stdout).toMatch(/^ +3 .* retired$/m);
  expect(stdout).toMatch(/^ +1 .* stable champion$/m);
  const retired = await model("release", "digits", "3");
  expect(retired.code).toBe(1);
  expect(retired.stderr).toContain("The version was retired");
  expect(retired.stderr).toContain("model digits, version 3 (coordinator/version-retired)");
  const none = await model("release", "digits", "99");
  expect([none.code, none.stderr]).toEqual([5, expect.stringContaining("coordinator/unknown-version")]);
});
