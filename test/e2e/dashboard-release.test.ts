import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { createApiClient } from "@tributary/api-client";
import { createCoordinator } from "@tributary/coordinator";
import { buildLinear } from "@tributary/onnx";
import { parseTaskSpec } from "@tributary/protocol";
import { chromium, expect as seeWithin } from "playwright/test";
import { expect, test } from "vitest";
import { temporaryFolder } from "../src/coordinator-process.ts";
import { findChromium } from "../src/runner/chromium.ts";

// Coordinator, dashboard and other tests share two processors.
const see = seeWithin.configure({ timeout: 20_000 });
const DASHBOARD = join(import.meta.dirname, "../../coordinator/dashboard");

test("an operator releases a version from the dashboard, with the token alone", async () => {
  await using opened = new AsyncDisposableStack();
  const folder = temporaryFolder();
  opened.defer(() => folder.remove());
  const vite = join(dirname(createRequire(import.meta.url).resolve("vite/package.json")), "bin/vite.js");
  const dashboardDir = join(folder.path, "dashboard");
  await promisify(execFile)(
    process.execPath,
    [vite, "build", "--outDir", dashboardDir, "--logLevel", "error"],
    { cwd: DASHBOARD },
  );
  const coordinator = await createCoordinator({
    dataDir: join(folder.path, "coordinator"),
    port: 0,
    dashboardDir,
    anonymous: "viewer",
  });
  opened.defer(() => coordinator.close());
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.publishModel("digits", buildLinear({ seed: 1 }));
  await api.publishModel("digits", buildLinear({ seed: 2 }));
  await api.releaseVersion("digits", 1);
  const gate = { metric: "loss", minimumDevices: 3 };
  await api.createTask(
    parseTaskSpec({
      name: "digits",
      model: "digits",
      gate,
      release: "manual",
      secureAggregation: { mode: "off" },
    }),
  );

  const executablePath = findChromium();
  const browser = await chromium.launch({
    ...(executablePath === undefined ? {} : { executablePath }),
    args: ["--no-sandbox", "--disable-background-networking"],
  });
  opened.defer(() => browser.close());
  const page = await browser.newPage();
  await page.goto(`${coordinator.url}/tasks/digits`);
  await see(page.getByTestId("gate")).toHaveAttribute("data-state", "waiting");
  await see(page.getByTestId("gate-next")).toHaveText("Versions are released by an operator alone.");

  // The way from the task to its model.
  await page.getByTestId("to-model").click();

  // What operators write on a card is text there, whatever it looks like.
  const card = page.getByTestId("model-card");
  await see(card.getByRole("spinbutton")).toHaveValue("1");
  await api.setCardNotes("digits", { intendedUse: "Digits <img src=x onerror=alert(1)>", licence: "MIT" });
  await card.getByRole("spinbutton").fill("2");
  await see(card.getByTestId("card-notes")).toContainText("Digits <img src=x onerror=alert(1)>");
  expect(await card.locator("img").count()).toBe(0);

  const row = (version: number) => page.locator(`[data-testid="version-row"][data-version="${version}"]`);
  await see(row(1).getByTestId("release-word")).toHaveText("released");
  await see(row(2).getByTestId("release-word")).toHaveText("rolled back");
  await row(2).getByTestId("release").click();
  const asked = page.getByRole("alertdialog");
  await see(asked.getByTestId("release-consequence")).toContainText("moves from version 1 to version 2");
  await asked.getByTestId("operator-token").fill("not-the-token");
  await asked.getByTestId("release-confirm").click();
  await see(asked.getByRole("alert")).toBeVisible();
  expect((await api.model("digits")).releasedVersion).toBe(1);

  await asked.getByTestId("operator-token").fill(coordinator.operatorToken);
  await asked.getByTestId("release-confirm").click();
  await see.poll(async () => (await api.model("digits")).releasedVersion).toBe(2);
  // The stream tells: the newest is what runs, and nothing is left to release.
  await see(page.getByTestId("release")).toHaveCount(0);
  await see(page.getByTestId("release-word")).toHaveCount(0);

  // Who did it is in the audit log, which asks for no other token.
  await page.getByRole("link", { name: "Audit log" }).click();
  const records = page.getByTestId("audit-row");
  await see(records.first()).toHaveAttribute("data-action", "model.release");
  await see(records.first()).toContainText("digits, version 2, channel stable by token");
  await api.setTaskState("digits", { state: "paused" });
  await see(page.locator('[data-action="task.pause"]')).toContainText("digits, task digits by token");
  await see(page.getByTestId("audit-signed")).toHaveText(/^\d+ records, signed by timestamp \d+$/);

  // A rollout's buttons say what they do, and ask.
  await api.publishModel("digits", buildLinear({ seed: 3 }), { release: false });
  await api.startRollout("digits", {
    rollout: "spring",
    arms: [{ name: "third", version: 3 }],
    gates: [],
  });
  await page.getByRole("link", { name: "Rollouts" }).click();
  await page.getByRole("link", { name: "spring" }).click();
  const rollout = page.getByTestId("rollout");
  await see(rollout).toHaveAttribute("data-state", "running");
  await see(rollout.getByTestId("rollout-step")).toHaveText(["1 %", "10 %", "50 %", "100 %"]);
  for (const [action, state] of [
    ["pause", "paused"],
    ["resume", "running"],
    ["rollback", "rolled-back"],
  ] as const) {
    await rollout.getByTestId(`rollout-${action}`).click();
    await see(page.getByTestId(`rollout-${action}-consequence`)).not.toBeEmpty();
    await page.getByTestId(`rollout-${action}-confirm`).click();
    await see(rollout).toHaveAttribute("data-state", state);
  }
  expect((await api.withdrawals("digits")).map(({ version }) => version)).toEqual([3]);
  await page.getByRole("link", { name: "Audit log" }).click();
  await see(page.locator('[data-action="rollout.back"]').first()).toContainText("digits");

  const other = await browser.newPage();
  await other.goto(`${coordinator.url}/audit`);
  await other.getByTestId("show-audit").click();
  await other.getByTestId("audit").getByTestId("operator-token").fill("not-the-token");
  await other.getByTestId("unlock-audit").click();
  await see(other.getByTestId("audit").getByRole("alert")).toBeVisible();
  await see(other.getByTestId("audit-row")).toHaveCount(0);
});
