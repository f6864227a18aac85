import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { AxeBuilder } from "@axe-core/playwright";
import { createApiClient } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { buildLinear } from "@tributary/onnx";
import { parseTaskSpec } from "@tributary/protocol";
import { type Browser, chromium, expect as seeWithin, type Page } from "playwright/test";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PAGES } from "../../coordinator/dashboard/src/pages.ts";
import { temporaryFolder } from "../src/coordinator-process.ts";
import { enrolDevice } from "../src/enrol-device.ts";
import { giveLongHistory } from "../src/long-history.ts";
import { createScriptedRound } from "../src/scripted-round.ts";
import { findChromium } from "../src/runner/chromium.ts";

// Coordinator, dashboard and other tests share two processors.
const see = seeWithin.configure({ timeout: 30_000 });
const DASHBOARD = join(import.meta.dirname, "../../coordinator/dashboard");
/** Screenshots of every page, for whoever wants to look; no part of the repository. */
const SCREENSHOTS = join(import.meta.dirname, "../../.tributary/screenshots");

/** What the addresses of pages name here: an entry of the page list that names more has to be added. */
const NAMES: Record<string, string> = {
  task: "digits",
  model: "digits",
  round: "1",
  rollout: "spring",
};

/** Rounds and versions of one task and its model. */
const HISTORY = 10_000;

const SIZES = {
  desktop: { width: 1280, height: 800 },
  phone: { width: 390, height: 844 },
} as const;

const opened = new AsyncDisposableStack();
let coordinator: Coordinator;
let browser: Browser;

beforeAll(async () => {
  const folder = temporaryFolder();
  opened.defer(() => folder.remove());
  const vite = join(dirname(createRequire(import.meta.url).resolve("vite/package.json")), "bin/vite.js");
  const dashboardDir = join(folder.path, "dashboard");
  const built = promisify(execFile)(
    process.execPath,
    [vite, "build", "--outDir", dashboardDir, "--logLevel", "error"],
    { cwd: DASHBOARD },
  );
  const dataDir = join(folder.path, "coordinator");
  coordinator = await createCoordinator({
    dataDir,
    port: 0,
    dashboardDir,
    anonymous: "viewer",
    logLevel: "silent",
  });
  opened.defer(() => coordinator.close());
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  // A round that real devices took part in.
  const round = await createScriptedRound(
    { url: coordinator.url, dataDir, operatorToken: coordinator.operatorToken },
    { name: "digits", model: buildLinear({ seed: 1 }), devices: 3 },
  );
  opened.defer(() => round.close());
  await round.uploadAll((i) => ({ numExamples: 20 + i, fill: 0.001 }));
  await round.committed();
  await api.publishModel("digits", buildLinear({ seed: 2 }), { release: false });
  await api.startRollout("digits", {
    rollout: "spring",
    arms: [{ name: "second", version: 3 }],
    gates: [],
  });
  await api.publishModel("letters", buildLinear({ seed: 4 }));
  await api.createTask(
    parseTaskSpec({
      name: "learn-letters",
      model: "letters",
      gate: { metric: "loss", minimumDevices: 3 },
      secureAggregation: { mode: "off" },
    }),
  );
  // There is no disk so empty.
  await api.setAlertRule({ name: "space", kind: "disk-almost-full", threshold: 1, severity: "critical" });
  await api.setPolicy({ name: "challenger", dryRun: true, does: { kind: "promote", model: "digits" } });
  await see.poll(async () => (await api.rounds("learn-letters")).length).toBe(1);
  await api.setTaskState("learn-letters", { state: "paused" });
  giveLongHistory(dataDir, "learn-letters", HISTORY);
  NAMES["device"] = await enrolDevice(coordinator);
  const executablePath = findChromium();
  browser = await chromium.launch({
    ...(executablePath === undefined ? {} : { executablePath }),
    args: ["--no-sandbox", "--disable-background-networking"],
  });
  opened.defer(() => browser.close());
  await built;
  await mkdir(SCREENSHOTS, { recursive: true });
});
afterAll(() => opened.disposeAsync());

describe("every page, at a desktop's and a phone's size, in light and in dark", () => {
  const complaints: string[] = [];
  let page: Page;
  beforeAll(async () => {
    const context = await browser.newContext({
      viewport: SIZES.desktop,
      reducedMotion: "reduce",
      // Who takes part is the operator's to know.
      extraHTTPHeaders: { authorization: `Bearer ${coordinator.operatorToken}` },
    });
    opened.defer(() => context.close());
    page = await context.newPage();
    page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", ({ violatedDirective, sourceFile }) => {
        console.error(`policy: ${violatedDirective} in ${sourceFile}`);
      });
    });
    await page.goto(coordinator.url);
    await see(page.getByTestId("connection")).toHaveAttribute("data-status", "live");
  });

  test.each(PAGES.map(({ path }) => path))(
    "%s fits, breaks no rule of its policy, and axe finds nothing",
    async (path) => {
      const address = addressOf(path);
      await goTo(page, address);
      const name = address === "/" ? "overview" : address.slice(1).replaceAll("/", "-");
      for (const [size, viewport] of Object.entries(SIZES)) {
        await page.setViewportSize(viewport);
        await see
          .poll(() => sideways(page), { message: `${address} is wider than a ${size}` })
          .toBeLessThanOrEqual(0);
        for (const colorScheme of ["dark", "light"] as const) {
          await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
          // Only colours differ in the dark.
          complaints.push(...(await wrongs(page, colorScheme === "dark" ? ["color-contrast"] : undefined)));
          await page.screenshot({
            path: join(SCREENSHOTS, `${name}-${size}-${colorScheme}.png`),
            fullPage: true,
          });
        }
      }
      expect(complaints.splice(0)).toEqual([]);
    },
  );
});

test("10,000 rounds and versions are read as they come into sight, and only those in sight are drawn", async () => {
  await using context = await browser.newContext({ viewport: SIZES.desktop });
  const page = await context.newPage();
  for (const [address, list, rows] of [
    ["/tasks/learn-letters", "Table of rounds", "round-row"],
    ["/models/letters", "Versions, newest first", "version-row"],
  ] as const) {
    await page.goto(`${coordinator.url}${address}`);
    const region = page.getByRole("region", { name: list });
    await see(region.getByTestId(rows).first()).toHaveAttribute(
      rows === "round-row" ? "data-round" : "data-version",
      String(HISTORY),
    );
    const height = () => region.evaluate((element) => element.scrollHeight);
    const before = await height();
    await region.evaluate((element) => element.scrollTo(0, element.scrollHeight));
    await see.poll(height).toBeGreaterThan(1.5 * before);
    expect(await region.getByTestId(rows).count()).toBeLessThan(80);
  }
});

test("a page is reached by its address, by keys and by the way back, and the focus goes along", async () => {
  await using context = await browser.newContext({ viewport: SIZES.desktop });
  const page = await context.newPage();
  await page.goto(`${coordinator.url}/tasks/learn-letters`);
  await see(page).toHaveTitle("learn-letters · Tributary");
  await see(page.getByRole("navigation", { name: "Breadcrumbs" }).getByRole("listitem")).toHaveText([
    "Tasks",
    "learn-letters",
  ]);
  await page.keyboard.press("g");
  await page.keyboard.press("m");
  await see(page).toHaveTitle("Models · Tributary");
  await see(page.locator("#main")).toBeFocused();
  await page.goBack();
  await see(page).toHaveTitle("learn-letters · Tributary");

  await page.keyboard.press("?");
  const help = page.getByTestId("shortcut-help");
  await see(help.getByRole("switch")).toBeChecked();
  await help.getByRole("switch").click();
  await page.keyboard.press("Escape");
  await see(help).toBeHidden();
  await page.keyboard.press("g");
  await page.keyboard.press("m");
  await see(page).toHaveTitle("learn-letters · Tributary");

  await page.goto(`${coordinator.url}/nothing/here`);
  await see(page.getByTestId("no-such-page")).toContainText("/nothing/here");
});

test("on a phone the pages are in a sheet, and colours can be chosen", async () => {
  await using context = await browser.newContext({ viewport: SIZES.phone, colorScheme: "light" });
  const page = await context.newPage();
  await page.goto(coordinator.url);
  await page.getByTestId("open-navigation").click();
  await page.getByRole("dialog").getByRole("link", { name: "Models" }).click();
  await see(page).toHaveTitle("Models · Tributary");
  await see(page.getByRole("dialog")).toBeHidden();
  const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await background();
  await page.getByTestId("view-menu").click();
  await page.getByRole("menuitemradio", { name: "Dark" }).click();
  await see.poll(background).not.toBe(light);
  await page.reload();
  await see.poll(background).not.toBe(light);
});

/** `/tasks/:task` with what is here. */
function addressOf(path: string): string {
  return path.replaceAll(/:(\w+)\??/g, (_all, name: string) => {
    const named = NAMES[name];
    if (named === undefined) throw new Error(`${path}: say in NAMES what ":${name}" is here`);
    return named;
  });
}

/** Goes there as a link does, and waits until what it shows was read. */
async function goTo(page: Page, address: string): Promise<void> {
  await page.evaluate((to) => history.pushState(null, "", to), address);
  await see(page.locator("main h1")).toHaveCount(1);
  await see(page.locator("main [aria-busy=true]")).toHaveCount(0);
  await see(page.getByTestId("page-failed")).toHaveCount(0);
}

function sideways(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
}

/** What axe finds by WCAG 2.2 AA, and by what is good practice. */
async function wrongs(page: Page, rules?: string[]): Promise<string[]> {
  const axe = new AxeBuilder({ page }).setLegacyMode();
  const { violations } = await (
    rules === undefined
      ? axe.withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"])
      : axe.withRules(rules)
  ).analyze();
  return violations.map(
    ({ id, help, nodes }) =>
      `${id}: ${help}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary ?? ""}`).join("; ")}`,
  );
}
