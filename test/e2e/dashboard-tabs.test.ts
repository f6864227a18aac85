import { join } from "node:path";
import { type ApiClient, createApiClient } from "@tributary/api-client";
import { buildLinear } from "@tributary/onnx";
import {
  type Browser,
  type BrowserContext,
  chromium,
  expect as seeWithin,
  type Page,
  type Request,
} from "playwright/test";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CoordinatorProcess, startCoordinator, temporaryFolder } from "../src/coordinator-process.ts";
import { freePort } from "../src/free-port.ts";
import { openViewer } from "../src/dashboard-bench/viewer.ts";
import { builtDashboard } from "../src/dashboard-build.ts";
import { findChromium } from "../src/runner/chromium.ts";

// Coordinator, dashboard and other tests share two processors.
const see = seeWithin.configure({ timeout: 20_000 });

const TABS = 8;

const folder = temporaryFolder();
let coordinator: CoordinatorProcess;
let api: ApiClient;
let browser: Browser;
let context: BrowserContext;
let port: number;
let dashboardDir: string;
const complaints: string[] = [];

/** Requests for the event stream that have not ended, and what each one was to resume from. */
const requests = new Set<Request>();
const resumedFrom: (string | undefined)[] = [];

beforeAll(async () => {
  dashboardDir = await builtDashboard();
  port = await freePort();
  coordinator = await start();
  api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  const executablePath = findChromium();
  browser = await chromium.launch({
    ...(executablePath === undefined ? {} : { executablePath }),
    args: ["--no-sandbox", "--disable-background-networking"],
  });
  context = await browser.newContext();
  context.on("request", (request) => {
    if (!request.url().endsWith("/v1/events")) return;
    requests.add(request);
    resumedFrom.push(request.headers()["last-event-id"]);
  });
  context.on("requestfailed", (request) => requests.delete(request));
  context.on("requestfinished", (request) => requests.delete(request));
});

afterAll(async () => {
  await browser?.close();
  await coordinator?.stop();
  folder.remove();
});

/** Streams that are open in the browser. A closed tab's request ends without an event. */
function openStreams(): number {
  return [...requests].filter((request) => !request.frame().page().isClosed()).length;
}

function start(): Promise<CoordinatorProcess> {
  return startCoordinator({
    dataDir: join(folder.path, "data"),
    port,
    args: ["--dashboard-dir", dashboardDir, "--anonymous", "viewer"],
  });
}

async function openTab(): Promise<Page> {
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    // The browser itself reports each attempt while the coordinator is down.
    if (message.type() === "error" && !message.text().includes("net::ERR_")) complaints.push(message.text());
  });
  await page.goto(coordinator.url);
  await see(page.getByTestId("connection")).toHaveAttribute("data-status", "live");
  return page;
}

async function leaders(pages: readonly Page[]): Promise<Page[]> {
  const roles = await Promise.all(
    pages.map((page) => page.getByTestId("connection").getAttribute("data-role")),
  );
  return pages.filter((_, i) => roles[i] === "leader");
}

test("eight tabs share one event stream, and lose nothing when the one that carries it goes", async () => {
  const pages: Page[] = [];
  for (let i = 0; i < TABS; i += 1) pages.push(await openTab());
  for (const page of pages) await see(page.getByTestId("empty-state")).toBeVisible();
  expect(openStreams()).toBe(1);

  // What happens reaches all of them, without a reload.
  await api.publishModel("digits", buildLinear({ seed: 1 }));
  await api.createTask({ name: "learn", model: "digits" });
  for (const page of pages) await see(page.getByTestId("task-state")).toHaveText("running");
  await api.setTaskState("learn", { state: "paused" });
  for (const page of pages) await see(page.getByTestId("task-state")).toHaveText("paused");
  await pages[0]!.getByRole("link", { name: "learn", exact: true }).click();
  await see(pages[0]!.getByTestId("task-activity")).toHaveText("The task is paused: an operator paused it.");

  // The leader's tab closes; another one takes over from the last event that the tabs have.
  const [leader, ...others] = await leaders(pages);
  expect(others).toEqual([]);
  const rest = pages.filter((page) => page !== leader);
  const opened = resumedFrom.length;
  await leader!.close();
  await api.setTaskState("learn", { state: "running" });
  for (const page of rest) await see(page.getByTestId("task-state")).toHaveText("running");
  expect(await leaders(rest)).toHaveLength(1);
  expect(openStreams()).toBe(1);
  expect(resumedFrom.length).toBe(opened + 1);
  expect(Number(resumedFrom.at(-1))).toBeGreaterThan(0);

  // The coordinator dies: every tab says so. It comes back: every tab goes on, and shows what happened meanwhile.
  await coordinator.kill();
  for (const page of rest) await see(page.getByTestId("connection-lost")).toBeVisible();
  coordinator = await start();
  await api.setTaskState("learn", { state: "paused" });
  for (const page of rest) {
    await see(page.getByTestId("connection")).toHaveAttribute("data-status", "live");
    await see(page.getByTestId("connection-lost")).toBeHidden();
    await see(page.getByTestId("task-state")).toHaveText("paused");
  }
  expect(await leaders(rest)).toHaveLength(1);
  expect(openStreams()).toBe(1);
  expect(complaints).toEqual([]);
});

test("a task's page asks for what the viewers of the dashboard's benchmark ask for", async () => {
  const page = await context.newPage();
  const asked = new Set<string>();
  page.on("request", (request) => {
    const { pathname, search } = new URL(request.url());
    if (pathname.startsWith("/v1/")) asked.add(pathname + search);
  });
  await page.goto(`${coordinator.url}/tasks/learn`);
  await see(page.getByTestId("task")).toBeVisible();
  const viewer = openViewer({
    url: coordinator.url,
    token: coordinator.operatorToken,
    task: "learn",
    model: "digits",
  });
  await viewer.ready;
  viewer.close();
  // Who they are is asked once when a page loads, and the tabs share one stream.
  const visited = () => [...asked].filter((path) => path !== "/v1/session" && path !== "/v1/events");
  await expect.poll(() => visited().toSorted(), { timeout: 20_000 }).toEqual([...viewer.asked].toSorted());
  await page.close();
});

test("the figures fit a phone, and the page keeps to its Content-Security-Policy", async () => {
  const phone = await browser.newContext({ viewport: { width: 390, height: 844 }, colorScheme: "dark" });
  const page = await phone.newPage();
  page.on("console", (message) => complaints.push(message.text()));
  const sideways = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  // An address of before pages had their own.
  await page.goto(`${coordinator.url}/#/tasks/learn`);
  await see(page.getByTestId("task")).toBeVisible();
  await see(page.getByTestId("accuracy-curve").locator("canvas")).toBeVisible();
  expect(await sideways()).toBeLessThanOrEqual(0);
  await page.goto(`${coordinator.url}/models/digits`);
  await see(page.getByTestId("version-row")).toHaveCount(1);
  expect(await sideways()).toBeLessThanOrEqual(0);
  expect(complaints).toEqual([]);
  await phone.close();
});
