import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { TASK_SCHEMA } from "@tributary/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { temporaryFolder } from "../../../coordinator/test/temporary-folder.ts";
import { taskLines, trustLine } from "../src/task-lines.ts";
import { runMain } from "./run-main.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

function file(document: object | string): string {
  const path = join(folder.path, "task.json");
  writeFileSync(path, typeof document === "string" ? document : JSON.stringify(document));
  return path;
}

test("the schema is printed as a coordinator serves it", async () => {
  const { stdout, code } = await runMain("task", "schema");
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual(TASK_SCHEMA);
});

test("a document is checked without a coordinator: the field and what it may be", async () => {
  const path = file({ name: "t", model: "m", stop: { elapsedMs: 60_000 } });
  expect(await runMain("task", "validate", path)).toMatchObject({
    code: 0,
    stdout: `${path}: a valid task document (urn:tributary:schema:task:1)\n`,
  });
  const filled = JSON.parse((await runMain("task", "validate", path, "--json")).stdout) as object;
  expect(filled).toMatchObject({
    stop: { elapsedMs: 60_000, targetMetric: null },
    retries: { backoffMs: 500 },
  });

  const wrong = file({ name: "t", model: "m", eligibility: { network: "wifi" } });
  const { code, stderr } = await runMain("task", "validate", wrong);
  expect(code).not.toBe(0);
  expect(stderr).toContain("/eligibility/network must be one of any, unmetered");
  expect((await runMain("task", "validate", file("{"))).stderr).toContain("is no JSON document");
});

test("what a task does is told in lines: why it stopped, when it goes on, who is not asked", () => {
  const activity = { nextRoundAt: null, failures: 0, checkedIn: 12, sittingOut: 0, ineligible: {} };
  const running = { state: "running", reason: null } as const;
  expect(taskLines(running, activity)).toEqual(["12 devices willing"]);
  const busy = {
    ...activity,
    nextRoundAt: "2026-01-05T22:00:00.000Z",
    failures: 3,
    sittingOut: 2,
    ineligible: { battery: 4, network: 1 },
  };
  expect(taskLines(running, busy)).toEqual([
    "next round from 2026-01-05T22:00:00.000Z",
    "3 rounds in a row failed",
    "12 devices willing, 2 of them sit out",
    "not asked: battery 4, network 1",
  ]);
  const reason = { code: "elapsed", message: "60000 ms have passed" } as const;
  expect(taskLines({ state: "finished", reason }, busy)).toEqual(["elapsed: 60000 ms have passed"]);
});

test("how far updates were trusted is one line", () => {
  const trust = { compared: 10, trusted: 8, mean: 0.613, lowest: 0, highest: 0.92 };
  expect(trustLine(trust)).toBe("trusted 8 of 10: scores 0.00 to 0.92, mean 0.61");
});
