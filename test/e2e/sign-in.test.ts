import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { createApiClient } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { buildLinear } from "@tributary/onnx";
import { type Browser, chromium, expect as seeWithin, type Page } from "playwright/test";
import { afterAll, beforeAll, expect, test } from "vitest";
import { temporaryFolder } from "../src/coordinator-process.ts";
import { builtDashboard } from "../src/dashboard-build.ts";
import { findChromium } from "../src/runner/chromium.ts";

// Coordinator, dashboard and other tests share two processors.
const see = seeWithin.configure({ timeout: 20_000 });

const PASSWORD = "correct horse battery";
const opened = new AsyncDisposableStack();
const complaints: string[] = [];
let coordinator: Coordinator;
let browser: Browser;

beforeAll(async () => {
  const folder = temporaryFolder();
  opened.defer(() => folder.remove());
  const dashboardDir = await builtDashboard();
  coordinator = await createCoordinator({
    dataDir: join(folder.path, "coordinator"),
    port: 0,
    dashboardDir,
    logLevel: "silent",
  });
  opened.defer(() => coordinator.close());
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  for (const model of ["digits", "cats"]) await api.publishModel(model, buildLinear({ seed: model }));
  const executablePath = findChromium();
  browser = await chromium.launch({
    ...(executablePath === undefined ? {} : { executablePath }),
    args: ["--no-sandbox", "--disable-background-networking"],
  });
  opened.defer(() => browser.close());
});
afterAll(() => opened.disposeAsync());

async function openPage(url: string, width = 1280): Promise<Page> {
  const context = await browser.newContext({ viewport: { width, height: 800 } });
  const page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(url);
  return page;
}

async function fill(page: Page, name: string, field: "password" | "new-password"): Promise<void> {
  await page.getByTestId("username").fill(name);
  await page.getByTestId(field).fill(PASSWORD);
  await page.getByTestId("access-send").click();
}

test("the link of the first start makes the first account; whoever is signed out comes back to where they were", async () => {
  const page = await openPage(coordinator.setupUrl!);
  await see(page.getByRole("heading", { name: "The first account" })).toBeVisible();
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  await fill(page, "ada", "new-password");
  await see(page.getByTestId("who")).toHaveText("ada");
  expect(new URL(page.url()).hash).toBe("");

  await page.goto(`${coordinator.url}/models/digits`);
  await see(page.getByTestId("who")).toHaveText("ada");
  // The session ends elsewhere.
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  for (const { id } of await api.operatorSessions()) await api.endOperatorSession(id);
  await page.goto(`${coordinator.url}/models/digits`);
  await see(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  await page.getByTestId("username").fill("ada");
  await page.getByTestId("password").fill("another one");
  await page.getByTestId("access-send").click();
  await see(page.getByRole("alert")).toHaveText("The name or the password is wrong.");
  await fill(page, "ada", "password");
  await see(page.getByTestId("who")).toHaveText("ada");
  expect(new URL(page.url()).pathname).toBe("/models/digits");

  await page.getByTestId("sign-out").click();
  await see(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await page.context().close();
});

test("who views one model is shown that one, and nothing to change it with", async () => {
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.addOperator({
    name: "ben",
    password: PASSWORD,
    grants: [{ model: "digits", role: "viewer" }],
  });
  const page = await openPage(`${coordinator.url}/models`, 390);
  await fill(page, "ben", "password");
  await see(page.getByRole("link", { name: "digits" }).first()).toBeVisible();
  await see(page.getByText("cats")).toHaveCount(0);
  await page.goto(`${coordinator.url}/models/digits`);
  await see(page.getByRole("heading", { name: "digits" }).first()).toBeVisible();
  await see(page.getByTestId("release")).toHaveCount(0);
  await page.context().close();
});

test("the browser complained of nothing but what was refused", () => {
  expect(complaints.filter((text) => !text.includes("401"))).toEqual([]);
});
