import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createApiClient, type ApiClient } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { buildLinear } from "@tributary/onnx";
import { type Browser, type BrowserContext, chromium, expect as seeWithin, type Page } from "playwright/test";
import { afterAll, beforeAll, expect, test } from "vitest";
import { temporaryFolder } from "../src/coordinator-process.ts";
import { writePast } from "../src/compared-tasks.ts";
import { builtDashboard } from "../src/dashboard-build.ts";
import { findChromium } from "../src/runner/chromium.ts";

// Search, comparison, a new task with its estimate, drift and privacy in a browser, on one coordinator with a past.

const see = seeWithin.configure({ timeout: 30_000 });
/** For whoever wants to look; no part of the repository. */
const SCREENSHOTS = join(import.meta.dirname, "../../.tributary/screenshots");
const TASKS = { plain: "digits-avg", adam: "digits-adam", watch: "digits-watch" };

const opened = new AsyncDisposableStack();
let coordinator: Coordinator;
let api: ApiClient;
let browser: Browser;
let context: BrowserContext;
let page: Page;
const complaints: string[] = [];

beforeAll(async () => {
  const folder = temporaryFolder();
  opened.defer(() => folder.remove());
  const dashboardDir = await builtDashboard();
  const dataDir = join(folder.path, "coordinator");
  const options = { dataDir, port: 0, dashboardDir, anonymous: "viewer", logLevel: "silent" } as const;
  const before = await createCoordinator(options);
  const first = createApiClient({ baseUrl: before.url, token: before.operatorToken });
  await first.publishModel("digits", buildLinear({ seed: 1 }));
  // The past has no weights: what is new learns another model.
  await first.publishModel("letters", buildLinear({ seed: 2 }));
  for (const [name, strategy] of [
    [TASKS.plain, { name: "fedAvg" }],
    [TASKS.adam, { name: "fedAdam", parameters: { learningRate: 0.02 } }],
  ] as const) {
    await first.createTask({ name, model: "digits", strategy });
    await first.setTaskState(name, { state: "paused" });
  }
  await first.createTask({
    name: TASKS.watch,
    model: "digits",
    kind: "telemetry",
    pauseBetweenRoundsMs: 3_600_000,
  });
  await first.setTaskState(TASKS.watch, { state: "paused" });
  await before.close();
  await writePast(dataDir, TASKS);
  coordinator = await createCoordinator(options);
  opened.defer(() => coordinator.close());
  api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  const executablePath = findChromium();
  browser = await chromium.launch({
    ...(executablePath === undefined ? {} : { executablePath }),
    args: ["--no-sandbox", "--disable-background-networking"],
  });
  opened.defer(() => browser.close());
  context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" });
  await mkdir(SCREENSHOTS, { recursive: true });
  page = await context.newPage();
  page.on("console", (message) => {
    // What the coordinator refuses is told on the page; the browser says so too.
    if (!message.text().startsWith("Failed to load resource"))
      complaints.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(error.message));
});
afterAll(() => opened.disposeAsync());

/** What a page looks like at both sizes, in both colours. */
async function pictures(name: string): Promise<void> {
  for (const [size, viewport] of [
    ["desktop", { width: 1280, height: 800 }],
    ["phone", { width: 390, height: 844 }],
  ] as const) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.screenshot({
        path: join(SCREENSHOTS, `${name}-${size}-${colorScheme}.png`),
        fullPage: true,
      });
    }
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(
      0,
    );
  }
  await page.setViewportSize({ width: 1280, height: 800 });
  expect(complaints).toEqual([]);
}

test("what is searched for is found, chosen and compared, and saved as a table", async () => {
  await page.goto(`${coordinator.url}/search`);
  await page.getByTestId("query").fill("accurcy > 0.9");
  await page.keyboard.press("Enter");
  await see(page.getByRole("alert")).toContainText("column 1: there is no field");
  await page.getByTestId("query").fill("acc");
  await page.getByRole("button", { name: "accuracy" }).click();
  await see(page.getByTestId("query")).toHaveValue("accuracy ");
  await page.getByTestId("query").fill("accuracy > 0.9 and strategy = fedAdam");
  await page.keyboard.press("Enter");
  await page.getByRole("radio", { name: "Tasks" }).check();
  await see(page.getByRole("row")).toHaveCount(2);
  await page.getByRole("checkbox", { name: `Compare ${TASKS.adam}` }).check();
  await page.getByTestId("query").fill("");
  await page.keyboard.press("Enter");
  await page.getByRole("checkbox", { name: `Compare ${TASKS.plain}` }).check();
  await page.getByRole("radio", { name: "All" }).check();
  await see(page.getByRole("row").nth(20)).toBeVisible();
  await pictures("search-found");
  await page.getByTestId("compare-chosen").click();

  await see(page).toHaveURL(/\/compare\?of=digits-adam&of=digits-avg$/);
  await see(page.getByTestId("compared-parameters")).toContainText("strategy.name");
  await see(page.getByTestId("compared-metrics").getByTestId("difference")).toHaveAttribute(
    "data-significant",
    "true",
  );
  await page.getByRole("combobox", { name: "Axis" }).selectOption("seconds");
  await see(page).toHaveURL(/axis=seconds/);
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByTestId("save-table").click(),
  ]);
  expect(await readFile(await download.path(), "utf8")).toMatch(/^name,digits-adam,digits-avg\r\n/);
  await page.getByTestId("add-subject").fill("digits@1");
  await page.getByRole("button", { name: "Add" }).click();
  await see(page.getByRole("list", { name: "What is compared" }).getByRole("listitem")).toHaveCount(3);
  await pictures("compared");
});

test("a new task is checked as it is typed, estimated, and started", async () => {
  await page.goto(`${coordinator.url}/tasks/new`);
  await page.getByTestId("field-model").selectOption("letters");
  await page.getByTestId("field-name").fill("letters-new");
  await pictures("new-task-model");
  await page.getByTestId("next-step").click();
  await page.getByTestId("field-epochs").fill("3");
  await page.getByTestId("step-devices").click();
  await page.getByTestId("field-goalCount").fill("4");
  await page.getByTestId("step-protection").click();
  await page.getByTestId("field-minimumCohort").fill("3");
  await page.getByTestId("step-review").click();
  await see(page.getByTestId("task-document")).toContainText('"goalCount": 4');
  // The operator's token is asked for once; from then on the coordinator checks what is typed.
  await page.getByTestId("start-task").click();
  await page.getByLabel(/token/i).fill(coordinator.operatorToken);
  await page.getByTestId("start-task-confirm").click();
  await see(page).toHaveURL(/\/tasks\/letters-new$/);
  expect((await api.task("letters-new")).spec.local.epochs).toBe(3);
  await api.setTaskState("letters-new", { state: "paused" });

  // As a link does: the token lives as long as the page.
  await page.evaluate(() => history.pushState(null, "", "/tasks/new?model=letters"));
  await page.getByTestId("field-name").fill("letters-new");
  await see(page.getByTestId("validation")).toHaveText("Something has to be changed");
  await see(page.getByText("A task of this name exists already.")).toBeVisible();
  await page.getByTestId("field-name").fill("letters-other");
  await see(page.getByTestId("validation")).toHaveText("The coordinator would take it");
  await page.getByTestId("step-devices").click();
  await page.getByTestId("field-goalCount").fill("4");
  await page.getByTestId("step-protection").click();
  await see(page.getByTestId("field-minimumCohort")).toHaveAttribute("aria-invalid", "true");
  await page.getByTestId("field-minimumCohort").fill("3");
  // Of a task without an end, as many rounds are played as half a minute holds.
  await page.getByTestId("step-learning").click();
  await page.getByTestId("field-rounds").fill("40");
  await see(page.getByTestId("validation")).toHaveText("The coordinator would take it");
  await page.getByTestId("step-estimate").click();
  await page.getByTestId("estimate-start").click();
  await page.getByTestId("estimate-cancel").click();
  await see(page.getByText("Cancelled.")).toBeVisible();
  await page.getByTestId("estimate-start").click();
  await see(page.getByTestId("estimate-result")).toContainText("rounds an hour", { timeout: 60_000 });
  await pictures("new-task-estimate");
});

test("drift is shown by measurement, the metric that drifted most first", async () => {
  await page.goto(`${coordinator.url}/drift`);
  await see(page.getByTestId("drift-reference")).toContainText("2 of 2 drift beyond chance");
  await see(page.getByTestId("drift-metric")).toHaveCount(2);
  await pictures("drifting");
  const first = page.getByTestId("drift-metric").first();
  await first.getByRole("button", { name: /as a table/ }).click();
  await see(first.getByRole("row")).toHaveCount(25);
});

test("what rounds hid is told in plain words", async () => {
  await page.goto(`${coordinator.url}/privacy`);
  await see(page.getByTestId("privacy-all")).toContainText("This coordinator itself vouches");
  const task = page.getByTestId("privacy-task").filter({ hasText: TASKS.adam });
  await see(task.getByTestId("privacy-rounds")).toContainText("rounds were private");
  await pictures("privacy-words");
});
